import DiskIO
import Ship
import Synchronization
import Testing

extension CloudZeroShippingTests {
    func answerWithReplay(_ header: String, once: Bool = true) {
        let done = SharedFlag()
        transport.answer { seen in
            guard seen.path.hasSuffix("/upload"), !once || done.setOnce(),
                case .success(let good) = UploadServer.good(seen)
            else { return UploadServer.good(seen) }
            return .success(
                HTTPResponse(status: good.status, headers: ["x-cloudzero-replay": header], body: good.body))
        }
    }

    @Test func replayServesUploadedFilesAndAbandonsWhatIsGone() async throws {
        let old = try volume.addFile(1)
        let shipper = try shipper()
        _ = await shipper.pass()
        let new = try volume.addFile(2)
        let stem = String(old.dropLast(20))
        answerWithReplay(
            """
            [{"ref_id":"\(old)","url":"\(UploadServer.url(old, signature: "REPLAY"))"},{"ref_id":"metrics_1_2.parquet",\
            "url":"https://b.s3.amazonaws.com/x"},{"ref_id":"","url":"u"},{"ref_id":".","url":"u"},\
            {"ref_id":"\(stem)","url":"u"}]
            """)
        let report = await shipper.pass()
        #expect(report.uploaded == 2)
        #expect(transport.puts.filter { $0.url.hasSuffix("REPLAY") }.count == 1)
        #expect(try volume.names(volume.layout.uploaded) == [old, new].sorted())
        let abandons = transport.abandonCalls
        try #require(abandons.count == 1)
        #expect(
            abandons[0].url.hasSuffix(
                "/abandon?cloud_account_id=1234&cluster_name=my+cluster&count=3&region=us-east-1&shipper_id=pod-0"))
        #expect(
            abandons[0].body.contains(
                #"{"reason":"failed to find this file locally","reference_id":"metrics_1_2.parquet"}"#))
        #expect(try await shipper.ledger.abandonments("cloudzero", limit: 9).isEmpty)
        #expect(try await shipper.ledger.destinations()[0].filesUploaded == 2, "a replay is not counted again")
    }

    @Test func replayWithoutURLIsAskedForNextTime() async throws {
        let old = try volume.addFile(1)
        let shipper = try shipper()
        _ = await shipper.pass()
        try volume.addFile(2)
        answerWithReplay(#"[{"ref_id":"\#(old)","url":""}]"#)
        _ = await shipper.pass()
        _ = await shipper.pass()
        #expect(transport.allocations.last?.referenceIDs == [old])
        #expect(try volume.names(volume.layout.uploaded).count == 2)
        #expect(transport.abandonCalls.isEmpty)
    }

    @Test(arguments: [ShipmentState.abandoned, .quarantined])
    func whatAnOperatorHasToDecideIsNotSaidToBeGone(state: ShipmentState) async throws {
        let kept = try volume.addFile(1, in: state == .abandoned ? volume.layout.abandoned : volume.layout.quarantine)
        try volume.addFile(2)
        answerWithReplay(#"[{"ref_id":"\#(kept)","url":"\#(UploadServer.url(kept))"}]"#)
        let shipper = try shipper()
        #expect(await shipper.pass().uploaded == 1)
        #expect(transport.abandonCalls.isEmpty)
        #expect(try await shipper.ledger.row(kept, "cloudzero")?.state == state)
    }

    @Test func aFailedAbandonIsTriedAgain() async throws {
        try volume.addFile(1)
        let shipper = try shipper { $0.maxRetries = 0 }
        let refuse = SharedFlag()
        transport.answer { seen in
            if seen.path.hasSuffix("/abandon"), refuse.setOnce() { return .success(HTTPResponse(500)) }
            guard seen.path.hasSuffix("/upload"), case .success(let good) = UploadServer.good(seen) else {
                return .success(HTTPResponse(200))
            }
            let header = #"[{"ref_id":"gone.parquet","url":"u"}]"#
            return .success(HTTPResponse(status: 200, headers: ["x-cloudzero-replay": header], body: good.body))
        }
        _ = await shipper.pass()
        #expect(shipper.metrics.replayAbandonErrors.value(.httpRequestFailed) == 1)
        _ = await shipper.pass()
        #expect(transport.abandonCalls.count == 2)
        _ = await shipper.pass()
        #expect(transport.abandonCalls.count == 2)
    }

    @Test(arguments: [
        "not json", "{}", "[1,2]", String(repeating: "[", count: 8_000), #"[{"ref_id":"x","url":"\#u{0}"}]"#,
    ])
    func aBadReplayHeaderDoesNotStopTheUpload(_ header: String) async throws {
        try volume.addFile(1)
        answerWithReplay(header)
        #expect(await (try shipper()).pass().uploaded == 1)
    }
}

final class SharedFlag: Sendable {
    private let flag = Atomic(false)
    /// True the first time.
    func setOnce() -> Bool { !flag.exchange(true, ordering: .relaxed) }
}
