internal import Bytes

/// A server may repeat what it was sent, in whatever it answers, and its words go into the log and the ledger. So what
/// was secret in the request is taken out of the answer before anybody reads it.
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
        return (headers.map { ($0.name, $0.value) } + parameters).filter { isSecret($0.0) && $0.1.utf8.count >= 4 }
            .map(\.1)
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
    func without(_ secrets: [String]) -> String { secrets.reduce(self) { $0.replacing($1, with: "…") } }
}
