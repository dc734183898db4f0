package import NIOCore
package import NIOHTTP1

/// One request, read to its end.
package struct HTTPRequest: Sendable {
    package let method: HTTPMethod
    /// The target up to `?`, as sent: percent-encoding is left in.
    package let path: String
    /// What follows `?`, as sent.
    package let query: String?
    package let headers: HTTPHeaders
    /// The whole body, without transfer coding; content coding is left in.
    package let body: ByteBuffer
    /// Bytes that `admit` and `admitMore` let in: the body's, or somewhat more for a chunked one.
    package let admitted: Int
    /// The peer's address without its port.
    package let remoteAddress: String?

    package init(
        method: HTTPMethod, path: String, query: String?, headers: HTTPHeaders, body: ByteBuffer,
        admitted: Int, remoteAddress: String?
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.admitted = admitted
        self.remoteAddress = remoteAddress
    }

    /// A request target cut at its first `?`.
    package static func split(target: String) -> (path: String, query: String?) {
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (target, nil) }
        return (String(target[..<mark]), String(target[target.utf8.index(after: mark)...]))
    }
}

/// One answer. `Content-Length` and `Connection` are the server's to write.
package struct HTTPResponse: Sendable {
    package var status: HTTPResponseStatus
    package var headers: HTTPHeaders
    package var body: ByteBuffer?
    /// Says `Connection: close` and closes after this answer.
    package var closesConnection: Bool
    /// Sends nothing and closes: the client sees its connection reset. For fault injection.
    package private(set) var hangsUp = false

    package init(
        status: HTTPResponseStatus, headers: HTTPHeaders = [:], body: ByteBuffer? = nil, closesConnection: Bool = false
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.closesConnection = closesConnection
    }

    package static let hangUp: HTTPResponse = {
        var response = HTTPResponse(status: .internalServerError)
        response.hangsUp = true
        return response
    }()

    package static func empty(_ status: HTTPResponseStatus) -> HTTPResponse { HTTPResponse(status: status) }

    /// Plain text; the line end is added.
    package static func text(_ status: HTTPResponseStatus, _ text: String) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: ["content-type": "text/plain; charset=utf-8"],
            body: ByteBuffer(string: text + "\n"))
    }

    package static func json(_ status: HTTPResponseStatus, _ bytes: some Sequence<UInt8>) -> HTTPResponse {
        HTTPResponse(status: status, headers: ["content-type": "application/json"], body: ByteBuffer(bytes: bytes))
    }
}
