package import NIOCore
package import NIOHTTP1

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

    /// Answers one request. The future may be of any event loop; a failed one becomes a 500 without its text.
    func handle(_ request: HTTPRequest, on eventLoop: any EventLoop) -> EventLoopFuture<HTTPResponse>

    /// An admitted request ended without `handle`: the client left, was too slow, or sent too much.
    func abandoned(_ head: HTTPRequestHead, declaredLength: Int?)
}

extension HTTPHandler {
    package func oversize(limit: Int) -> HTTPResponse {
        .text(.badRequest, "cannot read request body: it is over the limit of \(limit) bytes; send smaller requests")
    }

    package func abandoned(_ head: HTTPRequestHead, declaredLength: Int?) {}
}
