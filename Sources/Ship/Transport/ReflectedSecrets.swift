internal import Bytes

/// A server may repeat what it was sent, in whatever it answers, and its words go into the log, the ledger and onto
/// terminals. So what was secret in the request is taken out of the answer before anybody reads it.
extension HTTPTransport {
    /// As `send`, without the request's secrets in the answer or in the error's words.
    package func sendDiscreetly(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
        do throws(TransportError) {
            return try await send(request).without(request.secrets)
        } catch {
            throw TransportError(error.reason, error.text.without(request.secrets))
        }
    }
}

extension HTTPRequest {
    /// The values of its headers and its query that let whoever reads them act for us.
    var secrets: [String] {
        let marks = ["authorization", "token", "signature", "credential"]
        func isSecret(_ name: String) -> Bool { marks.contains { name.lowercased().contains($0) } }
        let query = url.text.split(separator: "?", maxSplits: 1).dropFirst().joined()
        let parameters = query.split(separator: "&").map { part in
            let parts = part.split(separator: "=", maxSplits: 1)
            return (name: String(parts.first ?? ""), value: String(parts.dropFirst().first ?? ""))
        }
        return (headers.map { ($0.name, $0.value) } + parameters).filter { isSecret($0.0) }
            .flatMap { Self.secrets(of: $0.1) }
    }

    /// `value` and, as it may be repeated without its scheme, what stands after the first space of it.
    package static func secrets(of value: String) -> [String] {
        // Shorter ones are words of every text.
        [value, String(value.drop { $0 != " " }.dropFirst())].filter { $0.utf8.count >= 4 }
    }
}

extension HTTPResponse {
    /// Its headers, and the words of a refusal; what a call asked for is left as it is.
    func without(_ secrets: [String]) -> HTTPResponse {
        let isRefusal = !(200..<300).contains(status)
        let words = isRefusal ? Array(String(decoding: body, as: UTF8.self).without(secrets).utf8) : body
        return HTTPResponse(status: status, headers: headers.mapValues { $0.without(secrets) }, body: words)
    }
}

extension String {
    package func without(_ secrets: [String]) -> String { secrets.reduce(self) { $0.replacing($1, with: "…") } }
}
