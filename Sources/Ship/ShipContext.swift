internal import DiskIO
internal import Logging
internal import Metrics

/// What every part of a cycle works with.
struct ShipContext: Sendable {
    var options: ShipOptions
    let layout: VolumeLayout
    let fileSystem: any FileSystem
    let clocks: Clocks
    let transport: any HTTPTransport
    let jitter: Jitter
    let metrics: ShipMetrics
    let logger: Logger
    let ledger: Ledger
    let shipperID: String
    /// Raised for good when the shipper shall end.
    let stop: Signal

    /// Milliseconds since 1970.
    var now: Int64 { clocks.wallMilliseconds() }

    var retryPolicy: RetryPolicy { RetryPolicy(first: .seconds(1), longest: options.maxWait) }

    /// Whether a cycle that began at `start` (uptime) may begin something new.
    func mayBegin(_ start: Duration) -> Bool {
        !stop.isRaised && !Task.isCancelled && clocks.uptime() - start < options.cycleTimeLimit
    }

    /// Waits, unless the shipper stops, or it would hold up the next cycle: new files are taken in by cycles, and one
    /// destination's wait is not the others'. Returns whether the time ran out.
    func pause(_ duration: Duration, _ start: Duration) async -> Bool {
        let limit = min(options.cycleTimeLimit, options.sendInterval)
        guard clocks.uptime() + duration - start < limit else { return false }
        return await stop.wait(atMost: duration, clocks.sleep)
    }

    func send(_ request: HTTPRequest) async -> Result<HTTPResponse, TransportError> {
        do throws(TransportError) {
            let response = try await transport.sendDiscreetly(request)
            if let server = response.headers["date"].flatMap({ UTCTime.milliseconds(httpDate: $0) }) {
                metrics.clockSkew.set((Double(now - server) / 1_000).rounded())
            }
            return .success(response)
        } catch {
            return .failure(error)
        }
    }

    /// Logs a failure, once, by the one who decides about it.
    func report(_ failure: ShipFailure, _ what: String, destination: String) {
        logger.error(
            "\(what): \(failure.text)",
            metadata: ["destination": "\(destination)", "error_code": "\(failure.code.rawValue)"])
    }
}

/// One cycle, as the parts that work in it see it.
struct Cycle: Sendable {
    /// Uptime.
    let start: Duration
    /// Takes also files whose back-off is not over: `czctl drain`.
    let ignoresBackOff: Bool
}
