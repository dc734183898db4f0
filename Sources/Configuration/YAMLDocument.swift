/// One YAML document as a tree: maps, lists and scalars. Anchors, aliases, tags, further documents, and what is
/// larger or deeper than the limits, are refused: a configuration needs none of them, and each is a way to make a
/// small file large.
struct YAMLDocument {
    static let byteLimit = 1 << 20
    static let depthLimit = 32
    static let nodeLimit = 65_536

    /// nil when there is nothing but comments.
    let root: YAMLNode?
    /// Faults that do not keep the rest from being read: a name that comes twice, a name that is no text.
    let problems: [YAMLProblem]

    init(_ text: [UInt8]) throws(YAMLProblem) {
        guard text.count <= Self.byteLimit else {
            throw YAMLProblem(place: .init(line: 1, column: 1), reason: "the file is larger than 1 MiB")
        }
        let hasByteOrderMark = text.starts(with: [0xEF, 0xBB, 0xBF])
        var reader = YAMLReader(parser: YAMLParser(text.dropFirst(hasByteOrderMark ? 3 : 0)))
        root = try reader.readDocument()
        problems = reader.problems
    }
}

/// Builds the tree from events.
private struct YAMLReader: ~Copyable {
    private var parser: YAMLParser
    private(set) var problems: [YAMLProblem] = []
    private var nodeCount = 0

    init(parser: consuming YAMLParser) {
        self.parser = parser
    }

    mutating func readDocument() throws(YAMLProblem) -> YAMLNode? {
        guard case .streamStart = try parser.next().kind else { return nil }
        guard case .documentStart = try parser.next().kind else { return nil }
        let root = try readNode(try parser.next(), depth: 0)
        _ = try parser.next()
        let end = try parser.next()
        guard case .streamEnd = end.kind else {
            throw YAMLProblem(place: end.place, reason: "a second document begins here; one file holds one")
        }
        return root
    }

    private mutating func readNode(_ event: YAMLEvent, depth: Int) throws(YAMLProblem) -> YAMLNode {
        nodeCount += 1
        guard nodeCount <= YAMLDocument.nodeLimit else {
            throw YAMLProblem(place: event.place, reason: "the file holds more than \(YAMLDocument.nodeLimit) values")
        }
        switch event.kind {
        case .scalar(let text, let isPlain):
            let isNull = isPlain && ["", "~", "null", "Null", "NULL"].contains(text)
            return YAMLNode(content: isNull ? .null : .scalar(text), place: event.place)
        case .listStart:
            try checkDepth(depth, event)
            return YAMLNode(content: .list(try readList(depth: depth)), place: event.place)
        case .mapStart:
            try checkDepth(depth, event)
            return YAMLNode(content: .map(try readMap(depth: depth)), place: event.place)
        case .streamStart, .streamEnd, .documentStart, .documentEnd, .listEnd, .mapEnd:
            throw YAMLProblem(place: event.place, reason: "a value is missing here")
        }
    }

    private func checkDepth(_ depth: Int, _ event: YAMLEvent) throws(YAMLProblem) {
        guard depth < YAMLDocument.depthLimit else {
            throw YAMLProblem(place: event.place, reason: "nested deeper than \(YAMLDocument.depthLimit) levels")
        }
    }

    private mutating func readList(depth: Int) throws(YAMLProblem) -> [YAMLNode] {
        var nodes: [YAMLNode] = []
        while true {
            let event = try parser.next()
            if case .listEnd = event.kind { return nodes }
            nodes.append(try readNode(event, depth: depth + 1))
        }
    }

    private mutating func readMap(depth: Int) throws(YAMLProblem) -> [YAMLNode.Entry] {
        var entries: [YAMLNode.Entry] = []
        var lines: [String: Int] = [:]
        while true {
            let event = try parser.next()
            if case .mapEnd = event.kind { return entries }
            let name = try readNode(event, depth: depth + 1)
            let value = try readNode(try parser.next(), depth: depth + 1)
            guard case .scalar(let text) = name.content else {
                problems.append(YAMLProblem(place: name.place, reason: "a key must be a name, not \(name.noun)"))
                continue
            }
            if let line = lines[text] {
                problems.append(
                    YAMLProblem(place: name.place, reason: "key \(quoted(text)) is already on line \(line)"))
                continue
            }
            lines[text] = name.place.line
            entries.append(YAMLNode.Entry(name: text, place: name.place, value: value))
        }
    }
}
