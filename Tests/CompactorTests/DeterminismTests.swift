import Bytes
import Compactor
import DiskIO
import TestKit
import Testing
import WAL

/// The same segments and settings give the same names and bytes (I6), whatever process makes them: seeds of hash tables
/// differ from process to process, and none may show.
@Suite("a plan's files are always the same")
struct DeterminismTests {
    private static let planCount = 1000

    /// XXH3-128 of the names of all files of the plans with these seeds. A name holds its file's hash, and the tests of
    /// compaction hold it to that.
    private static func digest(_ seeds: Range<Int>) throws -> String {
        var names = ""
        for seed in seeds {
            var random = SeededGenerator(seed: UInt64(seed))
            var fixture = try CompactionFixture()
            if seed % 2 == 1 { fixture.tables = .native }
            fixture.promotedLabels = ["pod", "absent"]
            try fixture.write(segments(&random))
            var options = fixture.options
            options.rowsPerFile = Int.random(in: 20...400, using: &random)
            guard let plan = try fixture.plan() else { continue }
            let report = try Compaction(
                options, volume: CompactionFixture.volume, layout: fixture.layout, in: fixture.disk
            ).run(plan)
            names += report.files.map { "\($0.name) \($0.sha256) \($0.rows)\n" }.joined()
        }
        let utf8 = Array(names.utf8)
        return Hash128(of: utf8.span.bytes, seed: 0).hex
    }

    private static func segments(_ random: inout SeededGenerator) -> [[[TestSample]]] {
        let pods = Int.random(in: 1...30, using: &random)
        return (0..<Int.random(in: 1...3, using: &random)).map { _ in
            (0..<Int.random(in: 1...4, using: &random)).map { _ in
                (0..<Int.random(in: 0...60, using: &random)).map { _ in
                    TestSample(
                        labels: [
                            "__name__", "m\(Int.random(in: 0..<7, using: &random))", "node",
                            "n\(Int.random(in: 0..<3, using: &random))", "pod",
                            "p\(Int.random(in: 0..<pods, using: &random))",
                        ],
                        // A plan crosses an hour in half of the cases; times and values repeat.
                        timestamp: CompactionFixture.hour + Int64.random(in: -40...40, using: &random) * 15_000,
                        value: Double(Int.random(in: 0...5, using: &random)) / 4)
                }
            }
        }
    }

    @Test("1,000 random plans, each in two processes") func twoProcesses() async throws {
        let result = try await #require(
            processExitsWith: .success, observing: [\.standardOutputContent]
        ) {
            print("digest \(try DeterminismTests.digest(0..<DeterminismTests.planCount))")
        }
        let printed = String(decoding: result.standardOutputContent, as: UTF8.self)
        let here = try Self.digest(0..<Self.planCount)
        #expect(printed.contains("digest \(here)\n"), "another process made \(printed)")
    }
}
