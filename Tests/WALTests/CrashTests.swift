import DiskIO
import TestKit
import Testing
import WAL

@Suite("The log survives a cut or a failure at every operation")
struct CrashTests {
    /// Groups over three epochs; returns the payloads that were acknowledged.
    private static func workload(_ fixture: LogFixture) -> [String] {
        var acknowledged: [String] = []
        guard let recovered = try? fixture.recover() else { return [] }
        var appender = LogAppender(recovered.log, environment: fixture.environment())
        var epoch: UInt64 = 1
        for number in 0..<9 {
            if number % 3 == 2 { epoch += 1 }
            let texts = ["\(number)-a", "\(number)-b"]
            var outcome = appender.append(texts.map { LogFixture.record($0) }, epoch: epoch)
            // As the intake does: what was in flight goes to the next epoch.
            for _ in 0..<3 where outcome != .durable {
                epoch += 1
                outcome = appender.append(texts.map { LogFixture.record($0) }, epoch: epoch)
            }
            if outcome == .durable { acknowledged += texts }
        }
        appender.close()
        return acknowledged
    }

    private static let operationCount: Int = {
        guard let fixture = try? LogFixture() else { return 0 }
        _ = workload(fixture)
        return fixture.disk.operationCount
    }()

    @Test("the workload is as long as it was when the cases were counted")
    func pinned() { #expect(Self.operationCount == 74) }

    @Test(
        "a power cut before any operation loses nothing acknowledged and doubles nothing",
        arguments: Crash.fixed)
    func powerCut(survival: Crash) throws {
        for operation in 0...Self.operationCount {
            let fixture = try LogFixture()
            fixture.disk.cutPower(before: operation)
            let acknowledged = Self.workload(fixture)
            fixture.disk.restart(survival)
            let found = try fixture.recover()
            let place = "cut before operation \(operation), \(survival)"
            #expect(found.payloads.filter(acknowledged.contains) == acknowledged, "\(place)")
            #expect(Set(found.payloads).count == found.payloads.count, "\(place): twice")
            #expect(found.log.segments.allSatisfy { $0.damage.isEmpty }, "\(place): no damage where there was none")
            // And the log goes on: what was found stays, what comes is kept.
            var appender = LogAppender(found.log, environment: fixture.environment())
            #expect(appender.append([LogFixture.record("next")], epoch: 1) == .durable, "\(place)")
            appender.close()
            fixture.disk.restart(.nothing)
            #expect(try fixture.recover().payloads == found.payloads + ["next"], "\(place)")
        }
    }

    @Test(
        "an operation that fails, once or for good, never leads to a false acknowledgement",
        arguments: [Errno.inputOutput, Errno.noSpace], [false, true])
    func failures(code: Int32, isSticky: Bool) throws {
        for operation in 0...Self.operationCount {
            let fixture = try LogFixture()
            fixture.disk.inject(.at(operation, .error(code), isSticky ? .always : .once))
            let acknowledged = Self.workload(fixture)
            fixture.disk.restart(.nothing)
            let found = try fixture.recover()
            let place = "errno \(code) at operation \(operation), sticky \(isSticky)"
            #expect(found.payloads.filter(acknowledged.contains) == acknowledged, "\(place)")
            #expect(Set(found.payloads).count == found.payloads.count, "\(place): twice")
        }
    }

    @Test("nothing is written to a segment whose sync failed, and it is not synced again (I10)")
    func noSecondSync() throws {
        var failures = 0
        for operation in 0...Self.operationCount {
            let fixture = try LogFixture()
            fixture.disk.inject(.at(operation, .error(Errno.inputOutput)))
            _ = Self.workload(fixture)
            let trace = fixture.disk.trace
            // A descriptor keeps the name it was opened by: that of the prepared segment.
            guard operation < trace.count, trace[operation].hasPrefix("sync /v/wal/prep-") else { continue }
            failures += 1
            #expect(
                !trace[(operation + 1)...].contains {
                    $0 == trace[operation] || $0 == "write" + trace[operation].dropFirst(4)
                })
        }
        #expect(failures > 9, "each group and each header")
    }
}
