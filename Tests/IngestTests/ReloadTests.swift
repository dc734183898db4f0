import HTTPServer
import Ingest
import Metrics
import NIOCore
import NIOHTTP1
import RemoteWrite
import Samples
import TestKit
import Testing

/// New limits and filters of a running intake.
@Suite(.timeLimit(.minutes(5)))
struct ReloadTests {
    @Test("a filter holds for series that the segment knew with other streams") func filter() async throws {
        let intake = try await IntakeFixture(SimulatedDisk())
        #expect(try await intake.post("up").status == 204)
        var options = intake.options
        options.classify = { _ in [] }
        try await intake.service.apply(options)
        #expect(try await intake.post("up", at: 2).status == 204)
        #expect(intake.service.metrics.stored.value == 1)
        #expect(intake.service.metrics.filtered.value == 1)
        try await intake.service.apply(intake.options)
        #expect(try await intake.post("up", at: 3).status == 204)
        #expect(intake.service.metrics.stored.value == 2, "what was filtered is not remembered as filtered")
        try await intake.stop()
    }

    @Test("a label limit holds for series that the segment knew") func labels() async throws {
        let intake = try await IntakeFixture(SimulatedDisk())
        #expect(try await intake.post("a_long_metric_name").status == 204)
        var options = intake.options
        options.decode.labelValueBytes = 4
        try await intake.service.apply(options)
        #expect(try await intake.post("a_long_metric_name", at: 2).status == 400)
        #expect(try await intake.post("up", at: 2).status == 204)
        try await intake.stop()
    }

    @Test("a write that comes while the log is read waits for it") func recovering() async throws {
        var early: EventLoopFuture<HTTPResponse>?
        let intake = try await IntakeFixture(SimulatedDisk()) { handler, loop in
            early = try await loop.submit { handler.handle(IntakeFixture.request(["up"]), on: loop) }.get()
        }
        #expect(try await early?.get().status == .noContent)
        #expect(intake.service.metrics.requestsRefused["not_ready"]?.value == 0)
        try await intake.stop()
        #expect(try IntakeFixture.stored(intake.disk) == ["up"])
    }

    @Test func admission() async throws {
        let intake = try await IntakeFixture(SimulatedDisk())
        #expect(try await intake.refusal() == nil)
        var options = intake.options
        options.inFlightRequestLimit = 0
        try await intake.service.apply(options)
        #expect(try await intake.refusal() == 503)
        options.inFlightRequestLimit = 1
        options.bodyByteLimit = 8
        try await intake.service.apply(options)
        #expect(try await intake.refusal() == 400, "the body of 9 bytes is over the limit")
        try await intake.stop()
    }
}
