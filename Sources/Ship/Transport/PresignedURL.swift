/// A URL that may be PUT to: where it points was checked, and when it ends is known.
package struct PresignedURL: Equatable, Sendable {
    package let url: RedactedURL
    /// Milliseconds since 1970 by the signer's clock; nil when the URL does not say.
    package let expiresMilliseconds: Int64?

    /// Nothing longer is a URL of S3.
    package static let lengthLimit = 8_192

    /// - Throws: why the URL is not contacted: a sentence without the URL's query.
    package init(_ text: String, allowedBy rule: UploadHostRule) throws(RefusedURL) {
        let place = try URLPlace(text)
        try rule.check(place)
        url = RedactedURL(text)
        expiresMilliseconds = Self.expiry(text)
    }

    /// `X-Amz-Date` plus `X-Amz-Expires` of the query.
    package static func expiry(_ text: String) -> Int64? {
        guard let mark = text.utf8.firstIndex(of: UInt8(ascii: "?")) else { return nil }
        var start: Int64?
        var seconds: Int64?
        for pair in text[text.utf8.index(after: mark)...].split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { continue }
            switch parts[0].lowercased() {
            case "x-amz-date": start = UTCTime.milliseconds(basicISO8601: String(parts[1]))
            // A week is S3's own limit.
            case "x-amz-expires": seconds = Int64(parts[1]).flatMap { (0...604_800).contains($0) ? $0 : nil }
            default: continue
            }
        }
        guard let start, let seconds else { return nil }
        return start + seconds * 1_000
    }
}

/// Why a URL is not contacted.
package struct RefusedURL: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Scheme, host and port of a URL, read so strictly that libcurl cannot see another host in it.
struct URLPlace: Equatable, Sendable {
    let isHTTPS: Bool
    /// Lower case; an IPv6 address keeps its brackets.
    let host: String
    let port: Int

    init(_ text: String) throws(RefusedURL) {
        guard text.utf8.count <= PresignedURL.lengthLimit else { throw RefusedURL("the URL is too long") }
        let isClean = text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") }
        guard isClean else { throw RefusedURL("the URL has characters that a URL has not") }
        let lowered = text.lowercased()
        guard let scheme = ["https://", "http://"].first(where: { lowered.hasPrefix($0) }) else {
            throw RefusedURL("the URL's scheme is neither https nor http")
        }
        isHTTPS = scheme == "https://"
        let rest = lowered.dropFirst(scheme.count)
        let authority = rest.prefix { !"/?#".contains($0) }
        guard !authority.contains("@") else { throw RefusedURL("the URL names a user") }
        guard !text.contains("#") else { throw RefusedURL("the URL has a fragment") }
        let (host, port) = try Self.split(authority)
        self.host = host
        self.port = port ?? (isHTTPS ? 443 : 80)
    }

    private static func split(_ authority: Substring) throws(RefusedURL) -> (host: String, port: Int?) {
        let end = authority.hasPrefix("[") ? authority.firstIndex(of: "]").map { authority.index(after: $0) } : nil
        let host = authority[..<(end ?? authority.firstIndex(of: ":") ?? authority.endIndex)]
        let isAddress = end != nil && host.dropFirst().dropLast().allSatisfy { $0.isHexDigit || ":.".contains($0) }
        let isName =
            end == nil && host.utf8.allSatisfy { (97...122).contains($0) || (45...46).contains($0) || isDigit($0) }
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        guard isAddress || isName, labels.allSatisfy({ !$0.isEmpty }) else {
            throw RefusedURL("the URL's host is not a plain name")
        }
        let tail = authority[host.endIndex...]
        guard !tail.isEmpty else { return (String(host), nil) }
        let digits = tail.dropFirst()
        guard tail.hasPrefix(":"), digits.utf8.allSatisfy(isDigit), let port = Int(digits), (1...65_535).contains(port)
        else { throw RefusedURL("the URL's port is not a number") }
        return (String(host), port)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }

    /// A literal address in any spelling a resolver takes: IPv6, dotted, or one number in decimal or hex.
    var isLiteralAddress: Bool {
        if host.hasPrefix("[") { return true }
        guard let last = host.split(separator: ".").last else { return false }
        return last.allSatisfy(\.isNumber) || last.hasPrefix("0x")
    }
}

/// Where presigned URLs may point (`cloudzero.upload_hosts`): by default S3, over https, on its own port.
package struct UploadHostRule: Sendable, Equatable {
    /// `host`, `host:port` or `*.suffix`, compared in lower case.
    package let patterns: [String]
    /// For tests and labs: any host, also without TLS.
    package let allowsHTTP: Bool

    package init(patterns: [String], allowsHTTP: Bool) {
        self.patterns = patterns.map { $0.lowercased() }
        self.allowsHTTP = allowsHTTP
    }

    /// Only where the operator named the very host, or chose to do without TLS.
    func allowsPrivateAddresses(_ place: URLPlace) -> Bool {
        allowsHTTP || patterns.contains(place.host) || patterns.contains("\(place.host):\(place.port)")
    }

    func check(_ place: URLPlace) throws(RefusedURL) {
        if allowsHTTP { return }
        guard place.isHTTPS else { throw RefusedURL("the URL is not https") }
        if patterns.contains("\(place.host):\(place.port)") { return }
        guard place.port == 443 else {
            throw RefusedURL("the URL's port \(place.port) is not in cloudzero.upload_hosts")
        }
        if patterns.contains(place.host) { return }
        guard !place.isLiteralAddress else { throw RefusedURL("the URL's host is an address: \(place.host)") }
        let matches = patterns.contains { $0.hasPrefix("*.") && place.host.hasSuffix($0.dropFirst()) }
        guard matches else { throw RefusedURL("the URL's host \(place.host) is not in cloudzero.upload_hosts") }
    }
}
