internal import DiskIO
internal import JSON

/// The calls of the upload API (contract.md §1): one request each; `CloudZeroSender` decides what an answer means.
struct UploadAPI: Sendable {
    let options: CloudZeroOptions
    let clusterName: String
    let cloudAccountID: String
    let region: String
    let shipperID: String
    let version: String
    let attemptTimeout: Duration

    /// Seconds of validity asked for.
    static let expirationSeconds = 3_600

    /// `scheme://host[/path]/v1/container-metrics`; the scheme follows `useHTTP` alone.
    func base() throws(ShipFailure) -> String {
        var host = options.host
        for scheme in ["https://", "http://"] where host.lowercased().hasPrefix(scheme) {
            host.removeFirst(scheme.count)
        }
        while host.hasSuffix("/") { host.removeLast() }
        let base = (options.useHTTP ? "http://" : "https://") + host
        do throws(RefusedURL) { _ = try URLPlace(base) } catch {
            let act = "cannot use cloudzero.host \"\(options.host)\""
            throw ShipFailure(.getRemoteBase, "\(act): \(error); give a host name")
        }
        return base + "/v1/container-metrics"
    }

    /// The host alone, for messages.
    var hostName: String {
        options.host.split(separator: "/").first { !$0.hasSuffix(":") }.map(String.init) ?? options.host
    }

    func allocate(_ rows: [Shipment]) throws(ShipFailure) -> HTTPRequest {
        let files = rows.map { row in
            AllocateBody.File(
                referenceID: row.file, sha256: options.sendsDigests ? row.sha256 : nil,
                size: options.sendsDigests ? row.byteCount : nil)
        }
        return try request(
            "upload", AllocateBody(shipperId: shipperID, files: files), count: rows.count,
            expiration: Self.expirationSeconds)
    }

    func abandon(_ abandonments: [Abandonment]) throws(ShipFailure) -> HTTPRequest {
        let body = abandonments.map { AbandonEntry(referenceID: $0.referenceID, reason: $0.reason) }
        return try request("abandon", body, count: abandonments.count, expiration: nil)
    }

    private func request(
        _ name: String, _ body: some Encodable, count: Int, expiration: Int?
    ) throws(ShipFailure) -> HTTPRequest {
        var query = [("cloud_account_id", cloudAccountID), ("cluster_name", clusterName), ("count", "\(count)")]
        if let expiration { query.append(("expiration", "\(expiration)")) }
        query += [("region", region), ("shipper_id", shipperID)]
        let text = query.map { "\($0.0)=\(Self.formEncoded($0.1))" }.joined(separator: "&")
        let bytes: [UInt8]
        do { bytes = Array(try JSONValue(encoding: body).text().utf8) } catch {
            throw ShipFailure(.encodeBody, "cannot encode the body of \(name): \(error)")
        }
        let headers = [
            (
                name: "Authorization",
                value: try SecretFile(path: options.apiKeyPath, what: "the API key", key: "cloudzero.api_key_path")
                    .read()
            ),
            (name: "Content-Type", value: "application/json"),
            (name: "X-CloudZero-Shipper-ID", value: shipperID), (name: "X-CloudZero-Version", value: version),
        ]
        return HTTPRequest(
            .post, RedactedURL("\(try base())/\(name)?\(text)"), headers: headers, body: .bytes(bytes),
            timeout: attemptTimeout)
    }

    /// As an HTML form encodes values: a space is `+`.
    static func formEncoded(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            let isPlain = (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
            if isPlain || "-_.~".unicodeScalars.contains(scalar) {
                encoded.unicodeScalars.append(scalar)
            } else if byte == UInt8(ascii: " ") {
                encoded += "+"
            } else {
                encoded += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return encoded
    }

    /// Reference id to URL, of an allocate answer.
    static func allocation(_ body: [UInt8]) throws(ShipFailure) -> [String: String] {
        do { return try JSONValue(parsing: body).decode([String: String].self) } catch {
            // The decoder's words may quote the body, and with it a URL.
            throw ShipFailure(.invalidBody, "the upload API's answer is not a JSON map of reference ids to URLs")
        }
    }
}

private struct AllocateBody: Encodable {
    struct File: Encodable {
        let referenceID: String
        let sha256: String?
        let size: Int64?

        enum CodingKeys: String, CodingKey {
            case referenceID = "reference_id"
            case sha256 = "sha_256"
            case size
        }
    }

    let shipperId: String
    let files: [File]
}

private struct AbandonEntry: Encodable {
    let referenceID: String
    let reason: String

    enum CodingKeys: String, CodingKey {
        case referenceID = "reference_id"
        case reason
    }
}

/// One wish of the `X-CloudZero-Replay` header: the server asks for a file again.
package struct ReplayRequest: Decodable, Equatable, Sendable {
    package let referenceID: String
    /// Empty: to be asked for by the next allocate call.
    package let url: String

    private enum CodingKeys: String, CodingKey {
        case referenceID = "ref_id"
        case url
    }

    /// More are left to the next answer (I9).
    static let countLimit = 1_000

    /// The wishes that can be ids at all; nil when the header is not what it should be.
    package static func list(_ header: String) -> [ReplayRequest]? {
        // Bad JSON is tolerated: the caller warns and carries on with the upload.
        guard let list = try? JSONValue(parsing: header.utf8).decode([ReplayRequest].self) else { return nil }
        return Array(list.prefix(countLimit)).filter { ShipperID.isValid($0.referenceID) }
    }
}
