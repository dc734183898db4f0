import Bytes
import Ingest
import Metrics
import RegularExpressions
import Samples
import Testing

@Suite("Filters: which streams a series belongs to, and which labels stay")
struct SeriesFilterTests {
    static let rules: [(pattern: String, match: FilterRule.Match, accepted: [String], refused: [String])] = [
        ("kube", .exact, ["kube"], ["kub", "kube_", "Kube", ""]),
        ("kube_", .prefix, ["kube_", "kube_pod"], ["kube", "akube_", ""]),
        ("_total", .suffix, ["_total", "cpu_total"], ["_totals", "total", ""]),
        ("cpu", .contains, ["cpu", "a_cpu_b", "ccpu"], ["cp", "c_pu", ""]),
        ("", .contains, ["", "a"], []),
        ("\u{E9}", .contains, ["caf\u{E9}s"], ["cafe\u{301}s"]),  // bytes decide, as in Go
        ("^kube_(pod|node)_", .regex, ["kube_pod_info", "kube_node_"], ["a_kube_pod_x", "kube_job_x"]),
        ("cpu|mem", .regex, ["a_cpu_b", "mem"], ["disk", ""]),  // unanchored
        ("\\d{2,}$", .regex, ["a12"], ["a1", "12a"]),
        ("(?i)CPU", .regex, ["cpu"], ["cp"]),
        ("^\u{E9}.$", .regex, ["\u{E9}\u{FC}"], ["\u{E9}ab"]),  // characters, not bytes
    ]

    @Test("each kind of match, byte for byte", arguments: rules)
    func match(pattern: String, match: FilterRule.Match, accepted: [String], refused: [String]) throws {
        let rule = try FilterRule(pattern: pattern, match: match)
        for text in accepted { #expect(accepts(rule, text), "\(text)") }
        for text in refused { #expect(!accepts(rule, text), "\(text)") }
    }

    @Test("what RE2 refuses is refused with its reason", arguments: ["(", "a{1001}", "(?=a)", "\\1", "[z-a]", "*"])
    func bad(pattern: String) {
        let error = #expect(throws: RegularExpressionError.self) { try FilterRule(pattern: pattern, match: .regex) }
        #expect(error?.reason.isEmpty == false)
    }

    @Test("a text of 256 KiB takes no longer than its length, whatever the pattern", .timeLimit(.minutes(1)))
    func linear() throws {
        let text = String(repeating: "a", count: 256 << 10)
        for pattern in ["^(a+)+$b", "(a|aa)*b", "(a*)*(a*)*(a*)*b", "(.*){9}x", "a{0,900}a{0,99}b"] {
            let rule = try FilterRule(pattern: pattern, match: .regex)
            #expect(!accepts(rule, text))
        }
    }

    /// Names of cost, observability: nil = no list; and the streams of each of three metrics.
    static let semantics: [(cost: [String]?, observability: [String]?, streams: [Streams])] = [
        (nil, nil, [.cost, .cost, .cost]),
        (["cost_"], nil, [.cost, [], []]),
        (nil, ["obs_"], [.cost, [.cost, .observability], .cost]),
        (["cost_"], ["obs_"], [.cost, .observability, []]),
        (["cost_", "o"], ["obs_", "c"], [[.cost, .observability], [.cost, .observability], []]),
    ]

    @Test("an absent list accepts all; no lists, no observability stream", arguments: semantics)
    func streams(cost: [String]?, observability: [String]?, streams: [Streams]) throws {
        let registry = MetricsRegistry()
        let filter = SeriesFilter(
            cost: .init(names: try prefixes("cost", cost, registry), labels: nil),
            observability: .init(names: try prefixes("observability", observability, registry), labels: nil))
        #expect(filter.hasObservability == (observability != nil))
        let metrics = ["cost_cpu", "obs_cpu", "else"]
        #expect(metrics.map { self.streams(filter, $0) } == streams)
    }

    @Test("a list of labels drops no series; it says which labels stay in its stream")
    func labelLists() throws {
        let registry = MetricsRegistry()
        let filter = SeriesFilter(
            cost: .init(names: nil, labels: try prefixes("cost_labels", ["pod", "name"], registry)),
            observability: .init(names: nil, labels: nil))
        #expect(self.streams(filter, "a") == .cost)
        #expect(!filter.hasObservability)
        let keeps = try #require(filter.labelFilters[.cost])
        let kept = ["pod", "pod_ip", "namespace", "x"].filter { keeps(Array($0.utf8).span.bytes) }
        #expect(kept == ["pod", "pod_ip", "namespace"])
        #expect(filter.labelFilters[.observability] == nil)
        #expect(filter.lists.map(\.name) == ["cost_labels"])
        #expect(filter.lists[0].counts.map(\.matches) == [2, 1])
        #expect(
            registry.exposition().contains(
                "cirrus_filter_matches_total{list=\"cost_labels\",rule=\"0 prefix pod\"} 2\n"))
    }

    private func accepts(_ rule: FilterRule, _ text: String) -> Bool { rule.accepts(Array(text.utf8).span.bytes) }

    private func streams(_ filter: SeriesFilter, _ metric: String) -> Streams {
        filter.streams(metric: Array(metric.utf8).span.bytes)
    }

    private func prefixes(_ name: String, _ patterns: [String]?, _ registry: MetricsRegistry) throws -> FilterList? {
        guard let patterns else { return nil }
        return FilterList(name, try patterns.map { try FilterRule(pattern: $0, match: .prefix) }, registry)
    }
}
