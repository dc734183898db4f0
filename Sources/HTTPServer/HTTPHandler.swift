package import NIOCore
package import NIOHTTP1

/// Bodies are let in step by step, so that one that only claims to be long takes no more of a budget than what came.
package enum BodySteps {
    static let byteCount = 64 << 10

    /// What `HTTPHandler.admit` lets in.
    package static func first(_ declaredLength: Int?) -> Int { min(declaredLength ?? byteCount, byteCount) }

    /// What is to be let in when `received` bytes have come.
    static func next(_ received: Int, _ declaredLength: Int?) -> Int {
        min(declaredLength ?? .max, (received + byteCount - 1) / byteCount * byteCount)
    }
}

/// What a server answers. Every call comes on the connection's event loop and must not block it.
///
/// After an `admit` that returned nil, exactly one of `handle` and `abandoned` follows, so a budget taken in the
/// one is given back in one of the others.
package protocol HTTPHandler: Sendable {
    /// Called when the head is read, before any byte of the body. An answer refuses the request: it is sent at once
    /// and the body skipped; nil lets the body be read (and sends `100 Continue` to a client that waits for it).
    func admit(_ head: HTTPRequestHead, declaredLength: Int?) -> HTTPResponse?

    /// Bytes of body to read at most, for a request that was admitted. 0 refuses any body.
    func bodyLimit(for head: HTTPRequestHead) -> Int

    /// The answer to a body over `limit` bytes, declared or read.
    func oversize(limit: Int) -> HTTPResponse

    /// A body of which `before` bytes are let in goes on: lets in `after`. An answer refuses the request like one of
    /// `admit`, and `abandoned` follows. `admit` lets in the first `BodySteps.first`.
    func admitMore(_ head: HTTPRequestHead, from before: Int, to after: Int) -> HTTPResponse?

    /// Answers one request. The future may be of any event loop; a failed one becomes a 500 without its text.
    func handle(_ request: HTTPRequest, on eventLoop: any EventLoop) -> EventLoopFuture<HTTPResponse>

    /// An admitted request ended without `handle`: the client left, was too slow, or sent too much.
    /// - Parameter admitted: bytes of the body that were let in.
    func abandoned(_ head: HTTPRequestHead, admitted: Int)
}

extension HTTPHandler {
    package func oversize(limit: Int) -> HTTPResponse {
        .text(.badRequest, "cannot read request body: it is over the limit of \(limit) bytes; send smaller requests")
    }

    package func admitMore(_ head: HTTPRequestHead, from before: Int, to after: Int) -> HTTPResponse? { nil }

    package func abandoned(_ head: HTTPRequestHead, admitted: Int) {}
}
