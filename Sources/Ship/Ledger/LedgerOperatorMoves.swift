extension Ledger {
    /// Gives rows up: they are not sent any more, and at the next cycle the shipper moves their files to `abandoned/`.
    /// Rows that are delivered or on their way just now are left.
    /// - Parameters:
    ///   - told: destinations whose server is told in the next abandon call.
    ///   - dryRun: nothing is changed.
    /// - Returns: the rows as they were.
    package func abandon(
        _ filter: ShipmentFilter, reason: String, told: Set<String>, dryRun: Bool, at now: Int64
    ) throws(ShipError) -> [Shipment] {
        if dryRun { return try list(filter).filter { $0.state.mayBecome(.abandoned) } }
        return try connection.transaction { () throws(ShipError) in
            let rows = try list(filter).filter { $0.state.mayBecome(.abandoned) }
            for row in rows {
                try moveInTransaction(
                    row.file, row.destination, from: row.state, to: .abandoned, at: now, .reset, detail: reason)
                guard told.contains(row.destination) else { continue }
                try connection.run(
                    "INSERT OR IGNORE INTO abandonment VALUES (?, ?, ?, ?)",
                    .text(row.destination), .text(row.file), .text(reason), .integer(now))
            }
            return rows
        }
    }
}
