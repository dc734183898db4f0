/// What requests to AWS are signed with. Prints no secret, in whatever way Swift prints it.
struct AWSCredentials: Equatable, Sendable, CustomStringConvertible, CustomReflectable {
    var accessKey: String
    var secretKey: String
    var sessionToken: String?
    /// Milliseconds since 1970 by the issuer's clock; nil: they do not end.
    var expiresMilliseconds: Int64?

    var description: String { "credentials \(accessKey.prefix(4))…" }
    var customMirror: Mirror { Mirror(self, children: ["accessKey": description]) }

    /// Nil when a part could not be sent in a header as it is.
    init?(accessKey: String, secretKey: String, sessionToken: String? = nil, expiresMilliseconds: Int64? = nil) {
        let token = sessionToken.flatMap { $0.isEmpty ? nil : $0 }
        for text in [accessKey, secretKey, token ?? "-"] {
            guard (1...Self.byteLimit).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
            else { return nil }
        }
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = token
        self.expiresMilliseconds = expiresMilliseconds
    }

    /// Session tokens have some 1,000 bytes.
    static let byteLimit = 16 << 10

    /// Of the variables every AWS SDK reads.
    init?(environment: [String: String]) {
        guard let access = environment["AWS_ACCESS_KEY_ID"], let secret = environment["AWS_SECRET_ACCESS_KEY"] else {
            return nil
        }
        self.init(accessKey: access, secretKey: secret, sessionToken: environment["AWS_SESSION_TOKEN"])
    }

    /// One profile of a shared credentials file: `[name]`, then `key = value` lines.
    init?(sharedFile text: String, profile: String) {
        var values: [String: String] = [:]
        var isWanted = false
        for line in text.split(whereSeparator: \.isNewline).map(\.trimmed) where !"#;".contains(line.first ?? "#") {
            if line.hasPrefix("["), let end = line.firstIndex(of: "]") {
                isWanted = line[line.index(after: line.startIndex)..<end].trimmed == profile
            } else if isWanted, let equals = line.firstIndex(of: "=") {
                values[line[..<equals].trimmed.lowercased()] = line[line.index(after: equals)...].trimmed
            }
        }
        guard let access = values["aws_access_key_id"], let secret = values["aws_secret_access_key"] else { return nil }
        self.init(accessKey: access, secretKey: secret, sessionToken: values["aws_session_token"])
    }
}
