internal import Synchronization

/// A way the mock misbehaves. Names without `put-` concern the API's own calls.
enum MockFault: String, CaseIterable, Sendable {
    // Answers of upload and abandon.
    case unauthorized = "401"
    case forbidden = "403"
    case throttled = "429"
    case unavailable = "503"
    /// The answer comes after `--slow-ms`.
    case slow
    /// The connection is cut without an answer.
    case reset
    // Contents of an upload answer.
    /// Half of the ids asked for.
    case subset
    case unknownID = "unknown-id"
    case emptyURL = "empty-url"
    case expiredURL = "expired-url"
    case badJSON = "bad-json"
    case badReplay = "bad-replay"
    // PUTs of the directory-backed bucket.
    case putForbidden = "put-403"
    case putThrottled = "put-429"
    case putUnavailable = "put-503"
    case putSlow = "put-slow"
    /// Cut while the body is sent; nothing is stored.
    case putReset = "put-reset"
    /// Stored, then cut: the answer is lost.
    case putLost = "put-lost"
    /// Half of the body is stored, with 200 and the ETag of that half.
    case putTruncated = "put-truncated"

    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }
}

/// How often each fault still happens.
final class MockFaults: Sendable {
    private let left: Mutex<[MockFault: Int]>

    init(_ counts: [MockFault: Int]) { left = Mutex(counts) }

    /// `NAME` for ever, `NAME:N` the first N times; nil for anything else.
    static func parse(_ text: String) -> (fault: MockFault, count: Int)? {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let fault = MockFault(rawValue: String(parts[0])) else { return nil }
        if parts.count == 1 { return (fault, Int.max) }
        guard let count = Int(parts[1]), count > 0 else { return nil }
        return (fault, count)
    }

    /// Whether the fault happens now; uses one of its times up.
    func take(_ fault: MockFault) -> Bool {
        left.withLock { left in
            guard let count = left[fault], count > 0 else { return false }
            if count != Int.max { left[fault] = count - 1 }
            return true
        }
    }
}
