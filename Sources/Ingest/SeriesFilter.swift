internal import Bytes
package import Samples

/// One rule of a filter list: how a text must look.
package struct FilterRule: Sendable {
    package enum Match: Sendable {
        case exact, prefix, suffix, contains
    }

    package let pattern: String
    package let match: Match

    package init(pattern: String, match: Match) {
        self.pattern = pattern
        self.match = match
    }

    func accepts(_ text: String) -> Bool {
        switch match {
        case .exact: text == pattern
        case .prefix: text.hasPrefix(pattern)
        case .suffix: text.hasSuffix(pattern)
        case .contains: pattern.isEmpty || text.utf8.contains(pattern.utf8)
        }
    }
}

extension String.UTF8View {
    /// Whether `part` stands anywhere in it.
    func contains(_ part: String.UTF8View) -> Bool {
        let (text, part) = (Array(self), Array(part))
        guard part.count <= text.count else { return false }
        return (0...text.count - part.count).contains { start in text[start...].starts(with: part) }
    }
}

/// Which streams a series belongs to (contract.md §2, "Filters"): an absent list accepts everything.
///
/// With no lists at all everything goes to the cost stream alone; the observability stream exists when it has a list.
package struct SeriesFilter: Sendable {
    /// Rules on the metric's name and on label names; nil = no list.
    package struct Stream: Sendable {
        package var names: [FilterRule]?
        package var labels: [FilterRule]?

        package init(names: [FilterRule]?, labels: [FilterRule]?) {
            self.names = names
            self.labels = labels
        }

        var exists: Bool { names != nil || labels != nil }

        func accepts(name: String, labels labelNames: [String]) -> Bool {
            if let names, !names.contains(where: { $0.accepts(name) }) { return false }
            guard let labels else { return true }
            return labelNames.contains { label in labels.contains { $0.accepts(label) } }
        }
    }

    private let cost: Stream
    private let observability: Stream

    package init(cost: Stream, observability: Stream) {
        self.cost = cost
        self.observability = observability
    }

    /// - Parameter labels: the canonical label set (docs/formats/record.md).
    package func streams(_ labels: RawSpan) -> Streams {
        guard cost.exists || observability.exists else { return .cost }
        var name = ""
        var labelNames: [String] = []
        do throws(ByteError) {
            var reader = ByteReader(labels)
            for _ in 0..<(try reader.varint()) {
                let label = String(decoding: [UInt8](try reader.lengthPrefixed()), as: UTF8.self)
                let value = try reader.lengthPrefixed()
                if label == "__name__" { name = String(decoding: [UInt8](value), as: UTF8.self) }
                labelNames.append(label)
            }
        } catch {
            return .cost  // unreachable: the set was written by LabelSetBuilder
        }
        var streams: Streams = []
        if cost.accepts(name: name, labels: labelNames) { streams.insert(.cost) }
        if observability.exists, observability.accepts(name: name, labels: labelNames) {
            streams.insert(.observability)
        }
        return streams
    }
}
