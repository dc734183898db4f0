import Compactor
import DiskIO
import Parquet
import TestKit
import Testing

@Suite("questions to files")
struct RowQueryTests {
    private static let hour = CompactionFixture.hour

    /// Two metrics, four pods of two namespaces, ten samples each, half an hour apart: several hours.
    private static let samples: [TestSample] = ["cpu", "mem"].flatMap { metric in
        (0..<4).flatMap { pod in (0..<10).map { step in sample(metric, pod, step) } }
    }

    private static func sample(_ metric: String, _ pod: Int, _ step: Int) -> TestSample {
        TestSample(
            labels: ["__name__", metric, "namespace", "n\(pod % 2)", "node", "h\(pod)", "pod", "p \"\(pod)\""],
            timestamp: hour + Int64(step) * 1_800_000, value: step == 3 ? .nan : Double(pod * 100 + step))
    }

    private static func ask(_ query: RowQuery) throws -> QueryAnswer {
        let fixture = try CompactionFixture()
        try fixture.write([[samples]])
        try fixture.compact()
        var answer = QueryAnswer(query)
        for name in try fixture.disk.list(fixture.layout.outbox) {
            let source = try StoredFile("\(fixture.layout.outbox)/\(name)", in: fixture.disk)
            try answer.add(try ParquetFile(source: source))
        }
        return answer
    }

    @Test func everything() throws {
        let answer = try Self.ask(RowQuery())
        let all = try #require(answer.groups[[]])
        #expect(answer.groups.count == 1)
        #expect(all.count == 80)
        #expect(all.nanCount == 8)
        #expect(all.min == 0)
        #expect(all.max == 309)
        #expect(all.sum == Self.samples.filter { !$0.value.isNaN }.reduce(0) { $0 + $1.value })
    }

    @Test func filtersAndGroups() throws {
        var query = RowQuery()
        query.filters = [
            RowQuery.LabelFilter(name: "__name__", value: "cpu", isEqual: true),
            RowQuery.LabelFilter(name: "namespace", value: "n1", isEqual: true),
            RowQuery.LabelFilter(name: "pod", value: "p \"3\"", isEqual: false),
        ]
        query.times = Self.hour...Self.hour + 4 * 1_800_000
        query.keys = [.metric, .label("pod"), .node, .hour]
        let answer = try Self.ask(query)
        let keys = answer.groups.keys.sorted { $0.joined() < $1.joined() }
        #expect(
            keys == [
                ["cpu", "p \"1\"", "h1", "2026-07-01T15"], ["cpu", "p \"1\"", "h1", "2026-07-01T16"],
                ["cpu", "p \"1\"", "h1", "2026-07-01T17"],
            ])
        let second = try #require(answer.groups[keys[1]])
        #expect(second.count == 2)
        #expect(second.nanCount == 1)
        #expect(second.sum == 102)
    }

    @Test func absentLabelsAreEmpty() throws {
        var query = RowQuery()
        query.filters = [RowQuery.LabelFilter(name: "nobody", value: "", isEqual: true)]
        query.keys = [.label("nobody")]
        #expect(try Self.ask(query).groups[[""]]?.count == 80)
        query.filters[0].isEqual = false
        #expect(try Self.ask(query).groups.isEmpty)
    }

    @Test("row groups that the bounds exclude are not read") func pruning() throws {
        var query = RowQuery()
        query.filters = [RowQuery.LabelFilter(name: "__name__", value: "zzz", isEqual: true)]
        #expect(try Self.ask(query).rowsRead == 0)
        query = RowQuery()
        query.times = Self.hour...Self.hour + 1
        let answer = try Self.ask(query)
        #expect(answer.rowsRead == 16)  // two samples an hour, of eight series
        #expect(answer.groups[[]]?.count == 8)
    }
}
