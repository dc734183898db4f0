extension ParquetInspection {
    private static let boundLimit = 40
    private static let cellLimit = 60

    /// One line: what it is, and the verdict.
    var summary: String {
        let codecs = Set(columns.map(\.codec)).sorted().joined(separator: ", ")
        return "rows \(HumanText.grouped(rows))  row groups \(rowGroups)  created by \(HumanText.line(createdBy))"
            + "  codec \(codecs)  \(HumanText.bytes(bytes)) (ratio \(HumanText.decimal(ratio)))  sha256 \(sha256)"
            + "  \(verdict)"
    }

    var metaText: String {
        keyValues.map { "\(HumanText.line($0.key, limit: 100)) = \(HumanText.line($0.value))" }.joined(separator: "\n")
    }

    var columnTable: String { Self.table(columns).text }

    var groupTable: String {
        (groups ?? []).enumerated().map { index, group in
            "row group \(index)  rows \(HumanText.grouped(group.rows))  \(HumanText.bytes(group.bytes))"
                + "  raw \(HumanText.bytes(group.rawBytes))\n" + Self.table(group.columns).text
        }.joined(separator: "\n")
    }

    var rowTable: String {
        var table = TextTable(titles: columns.map(\.name))
        for row in head ?? [] { table.add(row.map { HumanText.line($0, limit: Self.cellLimit) }) }
        return table.text
    }

    private static func table(_ columns: [Column]) -> TextTable {
        var table = TextTable(
            ("COLUMN", .left), ("TYPE", .left), ("ENC", .left), ("SIZE", .right), ("RAW", .right), ("NULLS", .right),
            ("MIN .. MAX", .left))
        for column in columns {
            let bounds = [column.min, column.max].map { $0.map { HumanText.line($0, limit: boundLimit) } ?? "?" }
            table.add([
                column.name, column.type, column.encodings.joined(separator: ","), HumanText.bytes(column.bytes),
                HumanText.bytes(column.rawBytes), column.nulls.map { "\($0)" } ?? "-", bounds.joined(separator: " .. "),
            ])
        }
        return table
    }
}
