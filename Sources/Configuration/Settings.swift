/// Everything an operator may choose. The initial values are the documented defaults; `Key.all` ties each field to
/// its name in the file and the environment (docs/configuration.md).
package struct Settings: Equatable, Sendable {
    /// Empty when unset, which only the `cloudzero` destination forbids.
    package var cloudAccountID = ""
    /// The cloud's region, empty when unset, as above.
    package var region = ""
    package var clusterName = ""
    /// Accepted from early files of the original; nothing uses it.
    package var organizationID = ""
    /// An unknown key stops the start instead of a warning.
    package var strict = false
    package var server = ServerSettings()
    package var logging = LoggingSettings()
    package var database = DatabaseSettings()
    package var cloudzero = CloudZeroSettings()
    /// Where each file goes; never empty.
    package var destinations = [DestinationSettings()]
    package var parquet = ParquetSettings()
    package var wal = WALSettings()
    package var dedup = DedupSettings()
    package var limits = LimitSettings()
    package var tls = TLSSettings()
    package var auth = AuthSettings()
    package var http = HTTPClientSettings()
    package var metrics = FilterSettings()

    package init() {}
}

package enum ServerMode: String, CaseIterable, Sendable { case http, https }

package struct ServerSettings: Equatable, Sendable {
    package var mode = ServerMode.http
    package var address = "::"
    package var port = 8080
    package var shipperPort = 8081
    /// Serves `/debug/state`.
    package var profiling = false
    /// Shows a page to browsers at `/`.
    package var hasStatusPage = true
    /// A connection is closed once in so many requests; 0 never.
    package var reconnectFrequency = 16
    /// How long a graceful stop waits for requests in flight.
    package var drainTimeout = Duration.seconds(30)
}

package enum LogLevel: String, CaseIterable, Sendable { case trace, debug, info, notice, warn, error, critical }
package enum LogFormat: String, CaseIterable, Sendable { case json, logfmt }

package struct LoggingSettings: Equatable, Sendable {
    package var level = LogLevel.info
    package var format = LogFormat.json
    /// Our own log is stored as files beside the samples.
    package var capture = false
}

package struct DatabaseSettings: Equatable, Sendable {
    package var storagePath = "/cloudzero/data"
    /// Rows of a Parquet file at most.
    package var recordLimit = 1_000_000
    /// Used by codecs that have levels only.
    package var compressionLevel = 8
    package var costInterval = Duration.seconds(600)
    package var observabilityInterval = Duration.seconds(600)
    /// Bytes of the volume we may use; nil is the whole volume.
    package var availableStorageBytes: Int?
    /// Age at which uploaded files are purged.
    package var uploadedRetention = Duration.seconds(2160 * 3600)
    /// Uploaded files are purged only when space is short.
    package var purgesLazily = true
    /// Percent of the uploaded files purged at once when space is short.
    package var purgePercent = 20
}

package enum APIDialect: String, CaseIterable, Sendable { case current, seed }

package struct CloudZeroSettings: Equatable, Sendable {
    package var apiKeyPath: String?
    /// Host of the upload API; may carry a scheme, which `usesHTTP` overrules, a port and a path.
    package var host = "api.cloudzero.com"
    package var usesHTTP = false
    package var dialect = APIDialect.current
    /// Hosts that presigned URLs may point to: a name, `*.suffix`, or either with a port.
    package var uploadHosts = ["*.amazonaws.com"]
    /// `sha_256` and `size` of each file go with the call that asks for its URL.
    package var sendsDigests = false
    /// How often every destination is served.
    package var sendInterval = Duration.seconds(600)
    /// Of one attempt.
    package var sendTimeout = Duration.seconds(120)
    package var retryLimit = 10
    package var retryWaitLimit = Duration.seconds(30)
}

package enum ParquetProfile: String, CaseIterable, Sendable { case compat, compact }

package struct ParquetSettings: Equatable, Sendable {
    package var profile = ParquetProfile.compat
    /// Compaction waits for the end of the UTC hour.
    package var isHourly = false
    /// Labels that have a column of their own under layout `native`.
    package var promotedLabels = ["namespace", "pod", "container", "node"]
}

package struct WALSettings: Equatable, Sendable {
    package var segmentByteLimit = 16 << 20
    package var segmentAge = Duration.seconds(60)
}

package struct DedupSettings: Equatable, Sendable {
    /// How long a request's fingerprint is remembered; 0 turns it off.
    package var window = Duration.seconds(2 * 3600)
}

/// TLS of the receiver: off while `certificatePath` is nil.
package struct TLSSettings: Equatable, Sendable {
    package var certificatePath: String?
    package var keyPath: String?
    /// Senders must show a certificate of this authority.
    package var clientCAPath: String?
}

/// Access to the receiver: open while both are nil.
package struct AuthSettings: Equatable, Sendable {
    package var bearerPath: String?
    package var basicPath: String?
}

/// How we reach the outside. Without a proxy here libcurl reads HTTPS_PROXY, HTTP_PROXY and NO_PROXY itself.
package struct HTTPClientSettings: Equatable, Sendable {
    /// May carry a password: never print it but through `Loaded.describe()`.
    package var proxy: String?
    package var noProxy: [String] = []
    package var caPath: String?
    package var clientCertificatePath: String?
    package var clientKeyPath: String?
    /// Bytes a second of all uploads together; nil is unlimited.
    package var uploadBytesPerSecond: Int?
}
