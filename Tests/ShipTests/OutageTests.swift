import DiskIO
import Ship
import Synchronization
import Testing

/// Seven days in which nobody answers, a file and a cycle every two hours, in simulated time.
@Suite struct OutageTests {
    static let fileByteCount = 2_000
    static let bytesPerSecond = 20_000

    /// Passes a request on at the pace that the configured rate allows; notes when bytes left.
    final class PacedTransport: HTTPTransport {
        let inner: StubTransport
        let clock: ManualClock
        private let state = Mutex((rate: UploadRate(bytesPerSecond: bytesPerSecond), sent: [(Duration, Int)]()))

        init(_ inner: StubTransport, _ clock: ManualClock) {
            self.inner = inner
            self.clock = clock
        }

        var sent: [(at: Duration, byteCount: Int)] { state.withLock { $0.sent.map { ($0.0, $0.1) } } }

        func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
            if case .file(_, _, let byteCount, _) = request.body {
                var left = Int(byteCount)
                while left > 0 {
                    let now = clock.uptime
                    let granted = state.withLock { state in
                        let granted = state.rate.take(left, at: now)
                        if granted > 0 { state.sent.append((now, granted)) }
                        return granted
                    }
                    left -= granted
                    if left > 0 { clock.advance(UploadRate.wait) }
                }
            }
            return try await inner.send(request)
        }
    }

    @Test(arguments: [true, false])
    func afterSevenDaysEverythingGoesOldestFirstAtTheConfiguredRate(isConnectionRefused: Bool) async throws {
        let volume = try TestVolume()
        let stub = StubTransport()
        var options = S3Options(bucket: "lake", region: "r")
        options.environment = S3ShippingTests.keys
        let clock = ManualClock()
        let paced = PacedTransport(stub, clock)
        let shipper = try TestShipper(volume, [.s3(options)], transport: paced, clock: clock) { $0.uploadWidth = 1 }
        if !isConnectionRefused { stub.answer { _ in .success(HTTPResponse(503)) } }
        var names: [String] = []
        var requestsOfACycle: [Int] = []
        for number in 0..<(7 * 12) {
            let bytes = (0..<Self.fileByteCount).map { UInt8(truncatingIfNeeded: $0 &* number) } + [UInt8(number & 255)]
            names.append(try volume.addFile(number, bytes: bytes + [UInt8(number >> 8)]))
            let before = stub.seen.count
            #expect(await shipper.pass().uploaded == 0)
            requestsOfACycle.append(stub.seen.count - before)
            clock.advance(.seconds(7_200))
        }
        let outageRequests = stub.seen.count
        #expect(requestsOfACycle.max() ?? 0 <= 40, "a handful, then one at a time after growing waits")
        let sentBefore = paced.sent.count
        stub.answer { _ in .success(HTTPResponse(200)) }
        var passes = 0
        var uploaded = 0
        while uploaded < names.count, passes < 20 {
            uploaded += await shipper.pass().uploaded
            passes += 1
            clock.advance(.seconds(7_200))
        }
        #expect(uploaded == names.count)
        let order = stub.seen.dropFirst(outageRequests).map { String($0.path.split(separator: "/").last ?? "") }
        #expect(order == names, "oldest first, each once")
        var oldest = 0
        var within = 0
        let sent = paced.sent.dropFirst(sentBefore)
        for (index, part) in zip(sent.indices, sent) {
            within += part.byteCount
            oldest = max(oldest, sent.startIndex)
            while sent[oldest].at <= sent[index].at - .seconds(1) {
                within -= sent[oldest].byteCount
                oldest += 1
            }
            #expect(within <= Self.bytesPerSecond * 5 / 4, "a second brings the rate, and what the bucket holds")
        }
        print(
            "seven days of outage (\(isConnectionRefused ? "no answer" : "503")): \(names.count) files,",
            "\(outageRequests) requests meanwhile, at most \(requestsOfACycle.max() ?? 0) a cycle;",
            "then all in \(passes) cycles, \(order.count) requests")
    }
}
