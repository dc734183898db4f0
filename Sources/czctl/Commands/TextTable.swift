/// How text for people is laid out.
struct TextStyle: Sendable {
    var hasTitles = true
    /// What a line should fit in; nil is no limit.
    var columns: Int?
    var paint = Paint(.never)
}

/// Columns of text for people: two spaces between them, no lines, nothing at the ends of rows. A column of
/// empty cells and without a title takes no room.
struct TextTable {
    enum Column {
        case left, right
        /// To the left, words in colour.
        case state
        /// To the left; loses its middle where a line would be too long.
        case name
    }

    private static let gap = 2
    /// Of a name, what stays at least.
    private static let leastName = 16

    private let columns: [Column]
    private var rows: [[String]]

    init(_ columns: (title: String, column: Column)...) {
        self.columns = columns.map(\.column)
        rows = [columns.map(\.title)]
    }

    /// Columns that are known only at run time, aligned to the left.
    init(titles: [String]) {
        columns = titles.map { _ in .left }
        rows = [titles]
    }

    /// - Precondition: a cell for each column.
    mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "a cell for each column")
        rows.append(cells)
    }

    var text: String { text(TextStyle()) }

    func text(_ style: TextStyle) -> String {
        let rows = style.hasTitles ? rows : Array(rows.dropFirst())
        let widths = widths(rows, style.columns)
        return rows.map { row in
            var line = ""
            for (index, cell) in row.enumerated() where widths[index] > 0 {
                let shown = Self.shortened(cell, to: widths[index])
                let gap = String(repeating: " ", count: widths[index] - shown.count)
                let painted = columns[index] == .state ? style.paint.word(shown) : shown
                line += line.isEmpty ? "" : String(repeating: " ", count: Self.gap)
                line += columns[index] == .right ? gap + painted : painted + gap
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }

    /// Of each column; names give way to what is too much for a line.
    private func widths(_ rows: [[String]], _ limit: Int?) -> [Int] {
        var widths = columns.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        guard let limit else { return widths }
        let shown = widths.filter { $0 > 0 }
        var excess = shown.reduce(0, +) + Self.gap * max(0, shown.count - 1) - limit
        for index in columns.indices where columns[index] == .name && excess > 0 {
            let width = max(min(Self.leastName, widths[index]), widths[index] - excess)
            excess -= widths[index] - width
            widths[index] = width
        }
        return widths
    }

    /// `metrics_17829…512d.parquet`
    private static func shortened(_ text: String, to width: Int) -> String {
        guard text.count > width, width > 0 else { return text }
        let end = width / 2
        return text.prefix(width - 1 - end) + "…" + text.suffix(end)
    }
}
