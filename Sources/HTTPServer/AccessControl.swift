internal import Digest
internal import NIOHTTP1
internal import Synchronization

/// What every request must show before a byte of its body is read: a bearer token or a password, and over TLS a
/// client certificate.
///
/// Of secrets only SHA-256 digests are kept, and compared without telling where they differ; all of them, whichever
/// matched.
package final class AccessControl: Sendable {
    /// Any one of them opens. A nil list is a kind that is not asked for; with both nil everyone may enter.
    package struct Credentials: Sendable {
        fileprivate let bearer: [[UInt8]]?
        /// Of the Base64 that clients send.
        fileprivate let basic: [[UInt8]]?

        /// - Parameter passwords: `user:password`, each.
        package init(tokens: [[UInt8]]?, passwords: [[UInt8]]?) {
            bearer = tokens?.map { Digest.of($0, .sha256) }
            basic = passwords?.map { Digest.of(base64($0), .sha256) }
        }

        fileprivate var challenges: [String] {
            (bearer == nil ? [] : ["Bearer realm=\"cirrus\""])
                + (basic == nil ? [] : ["Basic realm=\"cirrus\", charset=\"UTF-8\""])
        }
    }

    private enum Verdict { case granted, missing, wrong }

    private let credentials: Mutex<Credentials>
    private let requiresCertificate: Bool
    private let openPaths: Set<String>

    /// - Parameter openPaths: paths that anyone may `GET`: probes.
    package init(_ credentials: Credentials, requiresCertificate: Bool, openPaths: Set<String>) {
        self.credentials = Mutex(credentials)
        self.requiresCertificate = requiresCertificate
        self.openPaths = openPaths
    }

    /// For every request from now on.
    package func replace(with credentials: Credentials) { self.credentials.withLock { $0 = credentials } }

    /// The answer to a request that may not enter; nil lets it in.
    ///
    /// It closes the connection when a body would follow: a stranger's body is not worth reading.
    func refusal(
        _ head: HTTPRequestHead, declaredLength: Int?, hasCertificate: () -> Bool
    ) -> HTTPResponse? {
        if head.method == .GET || head.method == .HEAD, openPaths.contains(HTTPRequest.split(target: head.uri).path) {
            return nil
        }
        guard var response = answer(head, hasCertificate) else { return nil }
        response.closesConnection = declaredLength != 0
        return response
    }

    private func answer(_ head: HTTPRequestHead, _ hasCertificate: () -> Bool) -> HTTPResponse? {
        if requiresCertificate, !hasCertificate() {
            return .text(.forbidden, "cannot accept request: show a client certificate of the authority asked for")
        }
        let credentials = credentials.withLock { $0 }
        switch Self.verdict(head.headers["authorization"], credentials) {
        case .granted: return nil
        case .wrong: return .text(.forbidden, "cannot accept request: the credentials are wrong")
        case .missing:
            var response = HTTPResponse.text(.unauthorized, "cannot accept request: send credentials")
            for challenge in credentials.challenges {
                response.headers.add(name: "www-authenticate", value: challenge)
            }
            return response
        }
    }

    /// A scheme that is not asked for counts as no credentials, and two `Authorization` headers as wrong ones.
    private static func verdict(_ values: [String], _ credentials: Credentials) -> Verdict {
        if credentials.bearer == nil, credentials.basic == nil { return .granted }
        guard let value = values.first else { return .missing }
        guard values.count == 1 else { return .wrong }
        let scheme = value.prefix { $0 != " " }
        let expected =
            switch scheme.lowercased() {
            case "bearer": credentials.bearer
            case "basic": credentials.basic
            default: nil as [[UInt8]]?
            }
        guard let expected else { return .missing }
        let shown = Digest.of(Array(value.utf8.dropFirst(scheme.utf8.count).drop { $0 == 0x20 }), .sha256)
        var isKnown = false
        // The comparison first: it is made for each, whatever came before.
        for digest in expected { isKnown = Digest.areEqual(digest, shown) || isKnown }
        return isKnown ? .granted : .wrong
    }
}
