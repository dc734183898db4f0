package enum DestinationKind: String, CaseIterable, Sendable { case cloudzero, s3, directory }
package enum RowLayout: String, CaseIterable, Sendable { case cloudzero, native }
package enum Compression: String, CaseIterable, Sendable { case gzip, zstd }

package enum ServerSideEncryption: String, CaseIterable, Sendable {
    case aes256 = "AES256"
    case kms = "aws:kms"
}

/// One place that every file is sent to. Fields of another kind keep their defaults.
package struct DestinationSettings: Equatable, Sendable {
    /// Names the destination in the ledger: it must stay the same for the life of a volume. The kind, when unset.
    package var name = ""
    package var kind = DestinationKind.directory
    package var layout = RowLayout.cloudzero
    /// `directory`: where the hive folders are made; `<storage_path>/shipped` when unset.
    package var path = ""
    package var bucket = ""
    /// `s3`: of the bucket; AWS_REGION or AWS_DEFAULT_REGION when unset, us-east-1 when there is an endpoint.
    package var region = ""
    /// `s3`: a base URL; nil is AWS.
    package var endpoint: String?
    /// `s3`: what object keys begin with, without a slash at either end.
    package var prefix = ""
    /// `s3`: the bucket is in the path, not in the host name.
    package var pathStyle = false
    /// `s3`: files of the static keys; both or none (then environment, web identity, metadata service).
    package var accessKeyPath: String?
    package var secretKeyPath: String?
    package var encryption: ServerSideEncryption?
    /// `s3` and `directory`: what is sent is compressed so.
    package var compression: Compression?
    /// `s3`: the KMS key; nil is the bucket's own.
    package var encryptionKeyID: String?
    /// `s3`: the server is asked to refuse a second object of one key.
    package var refusesOverwrites = false
    /// `s3`: larger files are sent in parts of this size.
    package var partByteCount = 64 << 20
}
