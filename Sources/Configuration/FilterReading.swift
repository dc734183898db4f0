internal import RegularExpressions

extension Loader {
    static let patternByteLimit = 1024
    /// Of all lists together: with `RegularExpression.memoryLimit` each, 16 MiB.
    static let regexLimit = 64

    /// Elements `{pattern, match}`; nil after a fault.
    mutating func readFilters(_ nodes: [YAMLNode], shown: String) -> [MetricFilter]? {
        guard nodes.count <= Self.listLimit else {
            fault(at: nodes[0].place, shown, "has more than \(Self.listLimit) filters")
            return nil
        }
        var filters: [MetricFilter] = []
        for (index, node) in nodes.enumerated() {
            if let filter = readFilter(node, shown: "\(shown)[\(index)]") { filters.append(filter) }
        }
        return filters.count == nodes.count ? filters : nil
    }

    private mutating func readFilter(_ node: YAMLNode, shown: String) -> MetricFilter? {
        guard case .map(let entries) = node.content else {
            fault(at: node.place, shown, "must be a map with pattern and match, not \(node.noun)")
            return nil
        }
        var pattern: String?
        var patternPlace = node.place
        var match: FilterMatch?
        var isSound = true
        for entry in entries {
            switch entry.name {
            case "pattern":
                pattern = readPattern(entry.value, shown: shown)
                patternPlace = entry.value.place
                if pattern == nil { isSound = false }
            case "match":
                match = readMatch(entry.value, shown: shown)
                if match == nil { isSound = false }
            default:
                let hint = nearest(to: entry.name, among: ["pattern", "match"]).map { "did you mean \($0)?" }
                unknown("\(shown).\(entry.name)", at: origin(entry.place), hint: hint)
            }
        }
        guard isSound else { return nil }
        guard let pattern, let match else {
            fault(at: node.place, shown, "needs both pattern and match")
            return nil
        }
        if match == .regex, !checkRegex(pattern, at: patternPlace, shown: shown + ".pattern") { return nil }
        return MetricFilter(pattern: pattern, match: match)
    }

    private mutating func checkRegex(_ pattern: String, at place: YAMLNode.Place, shown: String) -> Bool {
        regexCount += 1
        guard !pattern.isEmpty else {
            fault(at: place, shown, "an empty regex matches everything; leave the filter out")
            return false
        }
        guard regexCount <= Self.regexLimit else {
            if regexCount == Self.regexLimit + 1 {
                fault(at: place, shown, "is one regex more than \(Self.regexLimit) in all lists; join some with |")
            }
            return false
        }
        do throws(RegularExpressionError) {
            _ = try RegularExpression(pattern)
            return true
        } catch {
            fault(at: place, shown, "\(quoted(pattern)) is not a regular expression of RE2: \(error.reason)")
            return false
        }
    }

    private mutating func readPattern(_ node: YAMLNode, shown: String) -> String? {
        guard case .scalar(let pattern) = node.content, pattern.utf8.count <= Self.patternByteLimit else {
            fault(at: node.place, shown + ".pattern", "must be a text of at most \(Self.patternByteLimit) bytes")
            return nil
        }
        return pattern
    }

    private mutating func readMatch(_ node: YAMLNode, shown: String) -> FilterMatch? {
        let words = FilterMatch.allCases.map(\.rawValue)
        guard case .scalar(let text) = node.content, let match = FilterMatch(rawValue: text) else {
            let given = if case .scalar(let text) = node.content { quoted(text) } else { node.noun }
            fault(at: node.place, shown + ".match", "\(given) is not one of \(words.joined(separator: ", "))")
            return nil
        }
        return match
    }
}
