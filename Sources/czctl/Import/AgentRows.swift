internal import Samples

/// One row of the agent's files.
struct AgentRow {
    var clusterName: [UInt8] = []
    var cloudAccountID: [UInt8] = []
    /// Milliseconds since 1970.
    var timestamp: Int64 = 0
    var value = 0.0
    /// Sorted by the bytes of their names, which are unique; with `__name__`, and `node` where there is one.
    var labels: [(name: [UInt8], value: [UInt8])] = []
}

/// Cuts the text of an agent's file, a JSON array of objects, into rows, however it comes in pieces.
struct AgentRowReader {
    /// Of one row's text: the agent's are below 10 KiB.
    static let rowByteLimit = 4 << 20

    private enum Place { case start, beforeRow, inRow, afterRow, end }

    private var place = Place.start
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    /// The row in work.
    private var row: [UInt8] = []
    private(set) var rowCount = 0
    /// Bytes of text so far.
    private var byteCount = 0

    /// The rows that end in this piece.
    /// - Throws: `AgentTextError`.
    mutating func read(_ text: [UInt8]) throws -> [AgentRow] {
        var rows: [AgentRow] = []
        var first = 0
        for (index, byte) in text.enumerated() {
            if place == .inRow {
                guard step(byte) else { continue }
                row.append(contentsOf: text[first...index])
                rows.append(try finish(at: byteCount + index))
                continue
            }
            switch byte {
            case 0x20, 0x0A, 0x0D, 0x09: continue
            case UInt8(ascii: "[") where place == .start: place = .beforeRow
            case UInt8(ascii: ",") where place == .afterRow: place = .beforeRow
            case UInt8(ascii: "]") where place == .afterRow || (place == .beforeRow && rowCount == 0): place = .end
            case UInt8(ascii: "{") where place == .beforeRow:
                (place, depth, first) = (.inRow, 1, index)
            default:
                throw AgentTextError("row \(rowCount + 1) is not where it should be, at byte \(byteCount + index)")
            }
        }
        if place == .inRow { row.append(contentsOf: text[first...]) }
        byteCount += text.count
        guard row.count <= Self.rowByteLimit else {
            throw AgentTextError("row \(rowCount + 1) is longer than \(Self.rowByteLimit) bytes")
        }
        return rows
    }

    /// Once all was read.
    func finish() throws {
        guard place != .end else { return }
        throw AgentTextError("its JSON array ends early, in row \(rowCount + (place == .inRow ? 1 : 0))")
    }

    /// Whether `byte` ends the row.
    private mutating func step(_ byte: UInt8) -> Bool {
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
            }
            return false
        }
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        default: break
        }
        return depth == 0
    }

    private mutating func finish(at offset: Int) throws -> AgentRow {
        place = .afterRow
        rowCount += 1
        var parser = AgentRowParser(text: row)
        row.removeAll(keepingCapacity: true)
        do {
            return try parser.parse()
        } catch let error as AgentTextError {
            throw AgentTextError("row \(rowCount), which ends at byte \(offset) of the text: \(error.cause)")
        }
    }
}

/// What is wrong with the text.
struct AgentTextError: Error {
    let cause: String
    init(_ cause: String) { self.cause = cause }
}

/// One row's JSON object: every field a string, `labels` an object of strings or null. Other fields are passed over.
///
/// Not by `JSONValue`, with which a row takes three times as long, since each text becomes a String and bytes again,
/// and which refuses the half of a surrogate pair that Go's reader replaces.
private struct AgentRowParser {
    private let text: [UInt8]
    private var index = 0

    init(text: [UInt8]) { self.text = text }

    mutating func parse() throws -> AgentRow {
        var row = AgentRow()
        var metric: [UInt8] = []
        var node: [UInt8] = []
        var hasValue = false
        var hasTimestamp = false
        try object { parser, name in
            switch String(decoding: name, as: UTF8.self) {
            case "cluster_name": row.clusterName = try parser.string()
            case "cloud_account_id": row.cloudAccountID = try parser.string()
            case "metric_name": metric = try parser.string()
            case "node_name": node = try parser.string()
            case "timestamp":
                let words = String(decoding: try parser.string(), as: UTF8.self)
                guard let number = Int64(words) else {
                    throw AgentTextError("its timestamp is no number of milliseconds: \(HumanText.line(words))")
                }
                (row.timestamp, hasTimestamp) = (number, true)
            case "value":
                let words = String(decoding: try parser.string(), as: UTF8.self)
                guard let number = Double(words) else {
                    throw AgentTextError("its value is no number: \(HumanText.line(words))")
                }
                (row.value, hasValue) = (number, true)
            case "labels": row.labels = try parser.labels()
            default: try parser.skip()
            }
        }
        guard hasValue, hasTimestamp else {
            throw AgentTextError("it has no \(hasValue ? "timestamp" : "value")")
        }
        Self.add("__name__", metric, to: &row.labels)
        Self.add("node", node, to: &row.labels)
        row.labels.sort { $0.name.lexicographicallyPrecedes($1.name) }
        for (label, next) in zip(row.labels, row.labels.dropFirst()) where label.name == next.name {
            throw AgentTextError("it has the label \(String(decoding: label.name, as: UTF8.self)) twice")
        }
        return row
    }

    /// The agent has these two beside the labels; older ones among them.
    private static func add(_ name: String, _ value: [UInt8], to labels: inout [(name: [UInt8], value: [UInt8])]) {
        let name = Array(name.utf8)
        guard !value.isEmpty, !labels.contains(where: { $0.name == name }) else { return }
        labels.append((name, value))
    }

    private mutating func labels() throws -> [(name: [UInt8], value: [UInt8])] {
        guard next() == UInt8(ascii: "{") else {
            try skip()
            return []
        }
        var labels: [(name: [UInt8], value: [UInt8])] = []
        try object { parser, name in labels.append((name, try parser.string())) }
        return labels
    }

    // MARK: JSON (RFC 8259)

    /// The next byte that is no space; 0 at the end.
    private mutating func next() -> UInt8 {
        while index < text.count, [0x20, 0x0A, 0x0D, 0x09].contains(text[index]) { index += 1 }
        return index < text.count ? text[index] : 0
    }

    private mutating func expect(_ byte: UInt8) throws {
        guard next() == byte else {
            throw AgentTextError("\(Unicode.Scalar(byte)) is missing at its byte \(index)")
        }
        index += 1
    }

    private mutating func object(_ member: (inout AgentRowParser, [UInt8]) throws -> Void) throws {
        try expect(UInt8(ascii: "{"))
        if next() == UInt8(ascii: "}") {
            index += 1
            return
        }
        while true {
            let name = try string()
            try expect(UInt8(ascii: ":"))
            try member(&self, name)
            if next() == UInt8(ascii: ",") {
                index += 1
                continue
            }
            return try expect(UInt8(ascii: "}"))
        }
    }

    /// Passes over a value of any kind: `AgentRowReader` has seen that its brackets close.
    private mutating func skip() throws {
        var depth = 0
        repeat {
            switch next() {
            case UInt8(ascii: "\""): _ = try string()
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                index += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                index += 1
            case 0: throw AgentTextError("it ends early")
            case UInt8(ascii: ","), UInt8(ascii: ":"): index += 1
            default:
                while index < text.count, !Self.endsWord.contains(text[index]) { index += 1 }
            }
        } while depth > 0
    }

    private static let endsWord: Set<UInt8> = Set(",:{}[]\" \n\r\t".utf8)

    private mutating func string() throws -> [UInt8] {
        try expect(UInt8(ascii: "\""))
        var value: [UInt8] = []
        var first = index
        while index < text.count {
            switch text[index] {
            case UInt8(ascii: "\""):
                value.append(contentsOf: text[first..<index])
                index += 1
                return value
            case UInt8(ascii: "\\"):
                value.append(contentsOf: text[first..<index])
                index += 1
                try escape(into: &value)
                first = index
            case 0..<0x20: throw AgentTextError("a control character is in a string at its byte \(index)")
            default: index += 1
            }
        }
        throw AgentTextError("it ends within a string")
    }

    private mutating func escape(into value: inout [UInt8]) throws {
        guard index < text.count else { throw AgentTextError("it ends within a string") }
        let byte = text[index]
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): value.append(byte)
        case UInt8(ascii: "b"): value.append(0x08)
        case UInt8(ascii: "f"): value.append(0x0C)
        case UInt8(ascii: "n"): value.append(0x0A)
        case UInt8(ascii: "r"): value.append(0x0D)
        case UInt8(ascii: "t"): value.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hex4()
            if (0xD800..<0xDC00).contains(code), index + 1 < text.count, text[index] == UInt8(ascii: "\\"),
                text[index + 1] == UInt8(ascii: "u")
            {
                index += 2
                let low = try hex4()
                guard (0xDC00..<0xE000).contains(low) else {
                    throw AgentTextError("half a surrogate pair is in a string at its byte \(index)")
                }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            // Half a pair, as only JSON can say it: what Go puts in its place.
            value += Array(String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8)
        default: throw AgentTextError("an unknown escape is in a string at its byte \(index - 1)")
        }
    }

    private mutating func hex4() throws -> UInt32 {
        guard index + 4 <= text.count,
            let code = UInt32(String(decoding: text[index..<index + 4], as: UTF8.self), radix: 16),
            text[index] != UInt8(ascii: "+"), text[index] != UInt8(ascii: "-")
        else { throw AgentTextError("a bad \\u escape is in a string at its byte \(index)") }
        index += 4
        return code
    }
}
