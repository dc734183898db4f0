/// The seam to the network: one request, one answer. The real one is `CurlTransport`.
package protocol HTTPTransport: Sendable {
    func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse
}

/// A request. Headers are sent as they are; `Content-Length` always follows from the body.
package struct HTTPRequest: Sendable {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case head = "HEAD"
        case delete = "DELETE"
    }

    package enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// Streamed from disk: `byteCount` bytes from `offset`. The last one leaves only if the SHA-256 of them, in
        /// hex, begins with `digest` (I8).
        case file(path: String, offset: UInt64 = 0, byteCount: UInt64, digest: String)
    }

    package let method: Method
    package let url: RedactedURL
    package let headers: [(name: String, value: String)]
    package let body: Body
    package let timeout: Duration
    package let reach: Reach

    package enum Reach: Sendable {
        case anywhere
        /// A URL that a server gave: no connection is made to private addresses, whatever its name resolves to. A
        /// proxy resolves names itself: then the proxy has to refuse them.
        case publicAddresses
        /// Services of this machine and its own network, which no proxy reaches.
        case withoutProxy
    }

    package init(
        _ method: Method, _ url: RedactedURL, headers: [(name: String, value: String)], body: Body, timeout: Duration,
        reach: Reach = .anywhere
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.reach = reach
    }
}

package struct HTTPResponse: Sendable {
    package let status: Int
    /// Names in lower case; of repeated headers the last.
    package let headers: [String: String]
    /// At most `bodyLimit` bytes.
    package let body: [UInt8]

    /// A longer answer is an error: none of ours is near it.
    package static let bodyLimit = 1 << 20

    package init(status: Int, headers: [String: String], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// Why there is no answer.
package struct TransportError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        case timedOut
        /// Name, connection, TLS or protocol; the peer may not have seen the request.
        case connection
        case cancelled
        /// The body's bytes do not have the digest they should: the request was cut before its last byte (I8).
        case digestMismatch
        /// The body's file could not be read.
        case fileUnreadable
        case responseTooLarge
        case unusableRequest
    }

    package let reason: Reason
    package let text: String

    package init(_ reason: Reason, _ text: String) {
        self.reason = reason
        self.text = text
    }

    package var description: String { text }
}
