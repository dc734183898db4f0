internal import Bytes
internal import Parquet

/// A bucket of S3, or of a service that speaks its protocol.
package struct S3Options: Sendable {
    package var name: String
    package var bucket: String
    package var region: String
    /// Base URL of another service; nil is AWS.
    package var endpoint: String?
    /// Begin of the object keys; `ObjectKeyTemplate` says what may stand in it.
    package var prefix: String
    /// The bucket is in the path, not in the host name.
    package var pathStyle: Bool
    /// Files of the static keys: both or none.
    package var accessKeyPath: String?
    package var secretKeyPath: String?
    /// `x-amz-server-side-encryption`.
    package var encryption: String?
    package var encryptionKeyID: String?
    /// Asks the server to refuse a second object of one key (`If-None-Match: *`).
    package var refusesOverwrites: Bool
    /// A larger file is sent in parts of this size. S3 takes no part below 5 MiB but the last.
    package var partByteCount: UInt64
    package var compression: UploadCompression?
    /// Variables that name credentials, as the AWS SDKs read them.
    package var environment: [String: String]

    package init(
        name: String = "s3", bucket: String, region: String, endpoint: String? = nil, prefix: String = "",
        pathStyle: Bool = false, accessKeyPath: String? = nil, secretKeyPath: String? = nil, encryption: String? = nil,
        encryptionKeyID: String? = nil, refusesOverwrites: Bool = false, partByteCount: UInt64 = 64 << 20,
        compression: UploadCompression? = nil, environment: [String: String] = [:]
    ) {
        self.name = name
        self.bucket = bucket
        self.region = region
        self.endpoint = endpoint
        self.prefix = prefix
        self.pathStyle = pathStyle
        self.accessKeyPath = accessKeyPath
        self.secretKeyPath = secretKeyPath
        self.encryption = encryption
        self.encryptionKeyID = encryptionKeyID
        self.refusesOverwrites = refusesOverwrites
        self.partByteCount = partByteCount
        self.compression = compression
        self.environment = environment
    }

    var faults: [String] {
        var faults: [String] = []
        if bucket.isEmpty { faults.append("no bucket") }
        if region.isEmpty { faults.append("no region") }
        if partByteCount < 1 { faults.append("parts of \(partByteCount) bytes: at least 1") }
        if let unknown = ObjectKeyTemplate.unknownName(in: prefix) {
            faults.append("prefix \"\(prefix)\" names {\(unknown)}: known are \(ObjectKeyTemplate.knownNames)")
        }
        do throws(ShipFailure) { _ = try S3Endpoint(self) } catch { faults.append(error.text) }
        return faults
    }
}

/// The key of a file's object, made of its name alone: `[prefix/]dt=…/hr=…/<name>`. The prefix may hold `{kind}`,
/// `{dt}`, `{hr}`, `{cluster}`, `{account}` and `{region}`; with `{dt}` or `{hr}` in it no folder is added. What is no
/// sample has a folder of its kind before that of the hour, also where the prefix does not hold it.
struct ObjectKeyTemplate: Sendable {
    private let prefix: String
    /// Of what is no sample.
    private let kindPrefix: String
    private let fixed: [String: String]

    private static let names = ["kind", "dt", "hr", "cluster", "account", "region"]
    static let knownNames = names.map { "{\($0)}" }.joined(separator: ", ")

    init(prefix: String, cluster: String, account: String, region: String) {
        self.prefix = prefix
        kindPrefix = prefix.contains("{kind}") ? prefix : Self.addingKind(prefix)
        fixed = ["cluster": cluster, "account": account, "region": region]
    }

    static func unknownName(in prefix: String) -> String? {
        for part in prefix.split(separator: "{", omittingEmptySubsequences: false).dropFirst() {
            let name = String(part.prefix { $0 != "}" })
            if !names.contains(name) || !part.contains("}") { return name }
        }
        return nil
    }

    private static func addingKind(_ prefix: String) -> String {
        var folders = prefix.split(separator: "/").map(String.init)
        let hour = folders.firstIndex { $0.contains("{dt}") || $0.contains("{hr}") }
        folders.insert("{kind}", at: hour ?? folders.endIndex)
        return folders.joined(separator: "/")
    }

    func key(of id: ReferenceID) -> String {
        // "dt=2026-07-01/hr=15"
        let hour = id.hivePartition.split(separator: "/").map { $0.split(separator: "=").last.map(String.init) ?? "" }
        let values = fixed.merging(["kind": id.kind.rawValue, "dt": hour[0], "hr": hour[1]]) { $1 }
        let begin = values.reduce(id.kind.isOfSamples ? prefix : kindPrefix) {
            $0.replacing("{\($1.key)}", with: $1.value)
        }
        let namesHour = prefix.contains("{dt}") || prefix.contains("{hr}")
        return [begin, namesHour ? "" : id.hivePartition, id.description].filter { !$0.isEmpty }.joined(separator: "/")
    }
}
