/// Which rows an operator means.
package enum ShipmentFilter: Sendable, Equatable {
    case all
    case states(Set<ShipmentState>)
    case files([String])
}

extension Ledger {
    /// Rows, oldest samples first; at most `limit`.
    package func list(_ filter: ShipmentFilter, limit: Int = .max) throws(ShipError) -> [Shipment] {
        switch filter {
        case .all: return try select("", [], limit)
        case .states(let states):
            guard !states.isEmpty else { return [] }
            let places = states.map { _ in "?" }.joined(separator: ", ")
            let values = states.map { SQLValue.text($0.rawValue) }
            return try select("WHERE state IN (\(places))", values, limit)
        case .files(let names):
            var found: [Shipment] = []
            for name in names { found += try rows(of: name) }
            return Array(found.prefix(limit))
        }
    }

    /// The rows of one file, by destination.
    package func rows(of file: String) throws(ShipError) -> [Shipment] {
        try select("WHERE file = ?", [.text(file)], .max)
    }

    package func row(_ file: String, _ destination: String) throws(ShipError) -> Shipment? {
        try select("WHERE file = ? AND destination = ?", [.text(file), .text(destination)], 1).first
    }

    private func select(_ condition: String, _ values: [SQLValue], _ limit: Int) throws(ShipError) -> [Shipment] {
        var query = try connection.prepare(
            "SELECT \(Shipment.columns) FROM shipment \(condition) ORDER BY sample_ms, file, destination LIMIT ?")
        try query.bind(values + [.integer(Int64(limit))])
        var found: [Shipment] = []
        while try query.step() { found.append(try Shipment(query)) }
        return found
    }

    /// The state of each named file at each destination; a name without rows has none.
    package func states(of files: [String]) throws(ShipError) -> [[String: ShipmentState]] {
        var query = try connection.prepare("SELECT destination, state FROM shipment WHERE file = ?")
        var result: [[String: ShipmentState]] = []
        for file in files {
            try query.bind([.text(file)])
            var states: [String: ShipmentState] = [:]
            while try query.step() { states[query.text(0)] = ShipmentState(rawValue: query.text(1)) }
            result.append(states)
        }
        return result
    }

    /// Names that `destination` should get now, oldest samples first.
    package func due(
        _ destination: String, at now: Int64, ignoringBackOff: Bool
    ) throws(ShipError) -> [String] {
        var query = try connection.prepare(
            """
            SELECT file FROM shipment WHERE destination = ?
            AND state IN ('discovered', 'allocated', 'uploading', 'failed')
            AND (state != 'failed' OR not_before_ms <= ? OR ?) ORDER BY sample_ms, file
            """)
        try query.bind([.text(destination), .integer(now), .integer(ignoringBackOff ? 1 : 0)])
        var names: [String] = []
        while try query.step() { names.append(query.text(0)) }
        return names
    }

    /// Rows of a file of samples, of another 0.
    private static let samples =
        "CASE WHEN file GLOB 'metrics_*' OR file GLOB 'observability_*' THEN COALESCE(rows, 0) ELSE 0 END"

    /// `destination IN (...)`; nil is every destination that the ledger knows.
    private static func among(_ destinations: [String]?) -> (condition: String, values: [SQLValue]) {
        guard let destinations else { return ("TRUE", []) }
        let places = destinations.map { _ in "?" }.joined(separator: ", ")
        return ("destination IN (\(places))", destinations.map { .text($0) })
    }

    /// Files whose local copies may go (I8): those that every destination has for which they ever were, also one that
    /// the configuration does not name any more, since before `milliseconds`. The oldest, at most `limit` names.
    /// - Parameter destinations: those of the configuration. What an operator gave up at another one holds no file.
    package func purgeable(
        before milliseconds: Int64, limit: Int, configured destinations: [String]? = nil
    ) throws(ShipError) -> [String] {
        let (isConfigured, values) = Self.among(destinations)
        var query = try connection.prepare(
            """
            SELECT file FROM shipment GROUP BY file
            HAVING MIN(state IN ('uploaded', 'purging', 'purged') OR (state = 'abandoned' AND NOT (\(isConfigured))))
            AND MAX(state IN ('uploaded', 'purging')) AND MAX(COALESCE(uploaded_ms, 0)) < ?
            ORDER BY MAX(COALESCE(uploaded_ms, 0)), file LIMIT ?
            """)
        try query.bind(values + [.integer(milliseconds), .integer(Int64(limit))])
        var names: [String] = []
        while try query.step() { names.append(query.text(0)) }
        return names
    }

    /// Forgets rows and histories of files that were purged everywhere before `milliseconds`, at most `limit` files at
    /// a time; their sums stay.
    package func forgetPurged(before milliseconds: Int64, limit: Int) throws(ShipError) {
        try connection.transaction { () throws(ShipError) in
            var query = try connection.prepare(
                """
                SELECT file FROM shipment GROUP BY file HAVING MIN(state = 'purged') AND MAX(changed_ms) < ? LIMIT ?
                """)
            try query.bind([.integer(milliseconds), .integer(Int64(limit))])
            var files: [String] = []
            while try query.step() { files.append(query.text(0)) }
            for file in files {
                try connection.run(
                    """
                    UPDATE destination SET forgotten_files = forgotten_files + 1,
                    forgotten_bytes = forgotten_bytes + gone.bytes,
                    forgotten_rows = forgotten_rows + gone.samples
                    FROM (SELECT destination, bytes, \(Self.samples) AS samples FROM shipment WHERE file = ?) AS gone
                    WHERE name = gone.destination
                    """, .text(file))
                try connection.run("DELETE FROM shipment WHERE file = ?", .text(file))
                try connection.run("DELETE FROM history WHERE file = ?", .text(file))
            }
        }
    }

    /// Kinds of the files that each destination has rows of, by its name.
    package func kinds() throws(ShipError) -> [String: Set<String>] {
        var query = try connection.prepare(
            "SELECT DISTINCT destination, substr(file, 1, instr(file, '_') - 1) FROM shipment")
        var kinds: [String: Set<String>] = [:]
        while try query.step() { kinds[query.text(0), default: []].insert(query.text(1)) }
        return kinds
    }

    package func history(_ file: String, _ destination: String) throws(ShipError) -> [HistoryEntry] {
        var query = try connection.prepare(
            "SELECT at_ms, from_state, to_state, detail FROM history WHERE file = ? AND destination = ? ORDER BY id")
        try query.bind([.text(file), .text(destination)])
        var entries: [HistoryEntry] = []
        while try query.step() {
            entries.append(
                HistoryEntry(
                    atMilliseconds: query.integer(0), from: query.optionalText(1), to: query.text(2),
                    detail: query.text(3)))
        }
        return entries
    }

    /// Files by destination and state; among the purged also those whose rows are forgotten.
    package func counts() throws(ShipError) -> [StateCount] {
        var query = try connection.prepare(
            """
            SELECT destination, state, SUM(files), SUM(bytes), SUM(rows) FROM
            (SELECT destination, state, COUNT(*) AS files, SUM(bytes) AS bytes, SUM(\(Self.samples)) AS rows
            FROM shipment GROUP BY destination, state
            UNION ALL SELECT name, 'purged', forgotten_files, forgotten_bytes, forgotten_rows FROM destination
            WHERE forgotten_files > 0) GROUP BY destination, state ORDER BY destination, state
            """)
        var counts: [StateCount] = []
        while try query.step() {
            guard let state = ShipmentState(rawValue: query.text(1)) else { continue }
            counts.append(
                StateCount(
                    destination: query.text(0), state: state, files: query.integer(2), bytes: query.integer(3),
                    rows: query.integer(4)))
        }
        return counts
    }

    /// - Parameter destinations: whose files count.
    package func unsent(at destinations: [String]? = nil) throws(ShipError) -> UnsentSummary {
        let (condition, values) = Self.among(destinations)
        var query = try connection.prepare(
            """
            SELECT COUNT(*), COALESCE(SUM(bytes), 0), COALESCE(SUM(rows), 0), MIN(first) FROM
            (SELECT MAX(bytes) AS bytes, MAX(COALESCE(rows, 0)) AS rows, MIN(discovered_ms) AS first FROM shipment
            WHERE \(condition) AND state IN ('discovered', 'allocated', 'uploading', 'failed') GROUP BY file)
            """)
        try query.bind(values)
        guard try query.step() else { return UnsentSummary(files: 0, bytes: 0, rows: 0) }
        return UnsentSummary(
            files: query.integer(0), bytes: query.integer(1), rows: query.integer(2),
            oldestDiscoveredMilliseconds: query.optionalInteger(3))
    }

    /// Files of the last day of work: their bytes, and how long it took them to come; nil while one came alone.
    package func growth() throws(ShipError) -> (bytes: Int64, milliseconds: Int64)? {
        var query = try connection.prepare(
            """
            SELECT COALESCE(SUM(bytes), 0), MAX(first) - MIN(first) FROM
            (SELECT MAX(bytes) AS bytes, MIN(discovered_ms) AS first FROM shipment GROUP BY file)
            WHERE first >= (SELECT MAX(discovered_ms) FROM shipment) - 86400000
            """)
        guard try query.step(), let span = query.optionalInteger(1), span > 0 else { return nil }
        return (query.integer(0), span)
    }

    package func destinations() throws(ShipError) -> [DestinationSummary] {
        var query = try connection.prepare(
            """
            SELECT name, files, bytes, rows, last_success_ms, last_error_code, last_error, last_error_ms
            FROM destination ORDER BY name
            """)
        var summaries: [DestinationSummary] = []
        while try query.step() {
            let error = query.optionalText(5).map {
                RecordedError(code: $0, text: query.text(6), atMilliseconds: query.integer(7))
            }
            summaries.append(
                DestinationSummary(
                    name: query.text(0), filesUploaded: query.integer(1), bytesUploaded: query.integer(2),
                    rowsUploaded: query.integer(3), lastSuccessMilliseconds: query.optionalInteger(4),
                    lastError: error))
        }
        return summaries
    }
}
