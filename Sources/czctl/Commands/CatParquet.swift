internal import DiskIO
internal import Parquet

/// Prints the rows of Parquet files, one a line, as they come. Memory: one row group.
struct ParquetPrinter {
    private static let flushBytes = 64 << 10

    private let format: CatOutput
    private let query: RowQuery
    /// Of the last CSV header.
    private var titles: [String] = []
    private var out = ""
    /// Columns that were left out, of any file.
    private(set) var unreadableCount = 0

    init(_ format: CatOutput, _ query: RowQuery) {
        self.format = format
        self.query = query
    }

    private var wantsEveryRow: Bool { query.filters.isEmpty && query.times == .min ... .max }

    /// - Throws: `ParquetError`; `IOError`. What was read before it is printed.
    mutating func print(_ file: ParquetFile<OpenedFile>, shown path: String) throws {
        defer { flush() }
        var told: Set<String> = []
        let columns = wantsEveryRow ? nil : try QueryColumns(file.metadata, withValue: false)
        for (group, rowGroup) in file.metadata.rowGroups.enumerated() where columns?.mayHold(query, rowGroup) ?? true {
            let matcher = try columns.map { try RowMatcher(query, file, group, $0) }
            if let matcher, !(0..<matcher.count).contains(where: matcher.isWanted) { continue }
            var rows = try ParquetRows(file, rowGroup: group)
            for (name, error) in rows.unreadable where told.insert(name).inserted {
                printError("czctl: \(path): the column \(HumanText.line(name, limit: 100)) is left out: \(error)")
                unreadableCount += 1
            }
            guard !rows.names.isEmpty else { continue }
            let names = names(rows.names)
            for row in 0..<rowGroup.rowCount {
                if let cells = rows.next(isWanted: matcher?.isWanted(row) ?? true) { line(names, cells) }
            }
        }
    }

    /// As the lines have them; a CSV header where they are others than before.
    private mutating func names(_ names: [String]) -> [String] {
        switch format {
        case .json, .jsonl: return names.map(CatText.quoted)
        case .text: return names.map(CatText.plain)
        case .csv:
            if titles != names { out += names.map(ParquetCell.csv).joined(separator: ",") + "\n" }
            titles = names
            return names
        }
    }

    private mutating func line(_ names: [String], _ cells: [ParquetCell]) {
        switch format {
        case .json, .jsonl:
            out += "{" + zip(names, cells).map { "\($0):\($1.json)" }.joined(separator: ",") + "}"
        case .csv: out += cells.map(\.csv).joined(separator: ",")
        case .text:
            out += zip(names, cells).compactMap { name, cell in
                if case .null = cell { nil } else { "\(name)=\(cell.word)" }
            }.joined(separator: " ")
        }
        out += "\n"
        if out.utf8.count >= Self.flushBytes { flush() }
    }

    private mutating func flush() {
        Swift.print(out, terminator: "")
        Console.flush()
        out = ""
    }
}
