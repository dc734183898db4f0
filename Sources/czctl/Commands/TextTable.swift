/// Columns of text for people: two spaces between them, no lines, nothing at the ends of rows. A column of
/// empty cells and without a title takes no room.
struct TextTable {
    enum Alignment { case left, right }

    private let alignments: [Alignment]
    private var rows: [[String]]

    init(_ columns: (title: String, alignment: Alignment)...) {
        alignments = columns.map(\.alignment)
        rows = [columns.map(\.title)]
    }

    /// Columns that are known only at run time, aligned to the left.
    init(titles: [String]) {
        alignments = titles.map { _ in .left }
        rows = [titles]
    }

    /// - Precondition: a cell for each column.
    mutating func add(_ cells: [String]) {
        precondition(cells.count == alignments.count, "a cell for each column")
        rows.append(cells)
    }

    var text: String {
        let widths = alignments.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() where widths[column] > 0 {
                let gap = String(repeating: " ", count: widths[column] - cell.count)
                line += (line.isEmpty ? "" : "  ") + (alignments[column] == .left ? cell + gap : gap + cell)
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}
