internal import Digest
internal import NIOCore

/// How a mock upload API behaves.
struct MockOptions: Sendable {
    enum Storage: Sendable {
        /// The mock takes the PUTs itself, into this directory.
        case directory(String)
        /// URLs are signed for another S3: `http://host:port`.
        case endpoint(String)
    }

    static let bucket = "testbucket"

    var address = "::"
    var port = 8081
    var apiKey = "ak-test"
    var signer = SigV4(accessKey: "mock-access-key", secretKey: "mock-secret-key", region: "us-east-1")
    var storage = Storage.directory("mock-bucket")
    /// Seconds a presigned URL lives.
    var urlSeconds = 600
    /// Before each answer to upload.
    var uploadDelay = TimeAmount.zero
    /// Under the faults `slow` and `put-slow`.
    var slowDelay = TimeAmount.seconds(5)
    /// Sent as `X-CloudZero-Replay` with each answer to upload.
    var replayPayload: String?
    /// Each well-formed upload is answered 500.
    var errorOnUpload = false
    var faults: [MockFault: Int] = [:]
}
