internal import NIOCore

/// Where a connection is between reading and answering.
enum ConnectionState {
    /// Between requests.
    case waiting
    /// A head was admitted; its body arrives.
    case reading
    /// The handler works; what arrives is queued.
    case responding
    /// The answer is sent; the rest of the body is dropped, `remaining` bytes of it at most.
    case discarding(remaining: Int)
    /// The last answer is on its way, or out: what arrives is dropped until the channel closes.
    case closing(isAnswered: Bool)
}

/// Whether a body comes fast enough: in each `headerTimeout` as many bytes as `bodyRateMinimum` asks for in that time.
/// What came fast at first does not pay for a standstill later.
struct BodyPace {
    private let wanted: Double
    /// When the body was last known to come fast enough.
    private(set) var since = NIODeadline.now()
    private var bytes = 0

    init(_ options: HTTPServerOptions) {
        wanted = Double(options.bodyRateMinimum) * Double(options.headerTimeout.nanoseconds) / 1e9
    }

    mutating func start() {
        since = .now()
        bytes = 0
    }

    /// - Parameter received: bytes of the body so far.
    mutating func check(_ received: Int) {
        guard Double(received - bytes) >= wanted else { return }
        since = .now()
        bytes = received
    }
}
