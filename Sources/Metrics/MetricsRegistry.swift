internal import Synchronization

/// The process's metrics and their text exposition (Prometheus text format 0.0.4).
///
/// A family is one name; a series of it one set of label values. Everything is made at start, so that a counter stands
/// at 0 before its first event. No label holds a path, a URL or a sender's text.
package final class MetricsRegistry: Sendable {
    private enum Instrument {
        case counter(Counter)
        case gauge(Gauge)
        case computed(@Sendable () -> Double)
        case histogram(Histogram)
    }

    private struct Family {
        let help: String
        let type: String
        var series: [(labels: String, instrument: Instrument)] = []
    }

    private let families = Mutex<[String: Family]>([:])

    package init() {}

    package func counter(_ name: String, _ help: String, _ labels: KeyValuePairs<String, String> = [:]) -> Counter {
        let counter = Counter()
        add(name, help, "counter", labels, .counter(counter))
        return counter
    }

    package func gauge(_ name: String, _ help: String, _ labels: KeyValuePairs<String, String> = [:]) -> Gauge {
        let gauge = Gauge()
        add(name, help, "gauge", labels, .gauge(gauge))
        return gauge
    }

    /// A gauge computed when it is read.
    package func gauge(
        _ name: String, _ help: String, _ labels: KeyValuePairs<String, String> = [:],
        _ compute: @escaping @Sendable () -> Double
    ) {
        add(name, help, "gauge", labels, .computed(compute))
    }

    /// A counter kept elsewhere, asked for when it is read; it must not go back.
    package func counter(_ name: String, _ help: String, _ compute: @escaping @Sendable () -> Double) {
        add(name, help, "counter", [:], .computed(compute))
    }

    package func histogram(
        _ name: String, _ help: String, _ labels: KeyValuePairs<String, String> = [:], bounds: [Double]
    ) -> Histogram {
        let histogram = Histogram(bounds: bounds)
        add(name, help, "histogram", labels, .histogram(histogram))
        return histogram
    }

    private func add(
        _ name: String, _ help: String, _ type: String, _ labels: KeyValuePairs<String, String>,
        _ instrument: Instrument
    ) {
        let text = labels.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
        families.withLock {
            var family = $0[name] ?? Family(help: help, type: type)
            precondition(family.type == type, "one type a name")
            precondition(!family.series.contains { $0.labels == text }, "one instrument a series")
            family.series.append((text, instrument))
            $0[name] = family
        }
    }

    /// All families, sorted by name.
    package func exposition() -> String {
        let all = families.withLock { $0 }
        var text = ""
        for (name, family) in all.sorted(by: { $0.key < $1.key }) {
            text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.type)\n"
            for (labels, instrument) in family.series { text += Self.lines(name, labels, instrument) }
        }
        return text
    }

    private static func lines(_ name: String, _ labels: String, _ instrument: Instrument) -> String {
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        switch instrument {
        case .counter(let counter): return "\(name)\(braces) \(counter.value)\n"
        case .gauge(let gauge): return "\(name)\(braces) \(number(gauge.value))\n"
        case .computed(let compute): return "\(name)\(braces) \(number(compute()))\n"
        case .histogram(let histogram):
            let (counts, sum) = histogram.snapshot
            var text = ""
            var total = 0
            for (index, count) in counts.enumerated() {
                total += count
                let bound = index < histogram.bounds.count ? number(histogram.bounds[index]) : "+Inf"
                text += "\(name)_bucket{\(labels.isEmpty ? "" : labels + ",")le=\"\(bound)\"} \(total)\n"
            }
            return text + "\(name)_sum\(braces) \(number(sum))\n\(name)_count\(braces) \(total)\n"
        }
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return "\(value)"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}
