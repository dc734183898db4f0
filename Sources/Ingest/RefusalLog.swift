internal import HTTPServer
internal import Logging
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// Requests that were refused for good, in the log: the first at once, then one a minute with how many it stands for.
/// A sender that is at fault repeats its fault with each request.
package final class RefusalLog: Sendable {
    /// What was not logged since the last line.
    package struct Pace: Sendable {
        private var lastLine: Duration?
        private var unsaid = 0

        package init() {}

        /// How many came since the line before, when one is due; nil when it is not.
        package mutating func note(at now: Duration) -> Int? {
            if let lastLine, now - lastLine < RefusalLog.interval {
                unsaid += 1
                return nil
            }
            defer { (lastLine, unsaid) = (now, 0) }
            return unsaid
        }
    }

    package static let interval = Duration.seconds(60)
    private static let textByteLimit = 300

    private let logger: Logger
    private let uptime: @Sendable () -> Duration
    private let pace = Mutex(Pace())

    init(_ logger: Logger, uptime: @escaping @Sendable () -> Duration) {
        self.logger = logger
        self.uptime = uptime
    }

    /// Of an answer that its sender will not repeat: 400 and the like. The field `answer` may quote labels.
    func note(_ response: HTTPResponse) {
        guard (400..<500).contains(response.status.code) else { return }
        guard let more = pace.withLock({ $0.note(at: uptime()) }) else { return }
        let body = response.body?.readableBytesView.prefix(Self.textByteLimit)
        let text = body.map { String(decoding: $0, as: UTF8.self) } ?? ""
        logger.warning(
            "a request is refused, all or some of it, and its sender does not repeat it",
            metadata: [
                "status": "\(response.status.code)", "answer": "\(text)", "more_since_last": "\(more)",
            ])
    }
}
