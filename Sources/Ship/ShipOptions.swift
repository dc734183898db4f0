internal import Parquet

/// Everything the shipper is told, checked once at start.
package struct ShipOptions: Sendable {
    package var clusterName: String
    package var cloudAccountID: String
    package var region: String
    /// `X-CloudZero-Version` and the user agent.
    package var version: String
    /// `$HOSTNAME`: names the volume when it has no `.shipperid` yet.
    package var hostName: String?
    package var destinations: [DestinationOptions]
    /// From the end of one cycle to the start of the next.
    package var sendInterval: Duration
    /// One HTTP attempt.
    package var attemptTimeout: Duration
    /// No attempt is begun later than this into a cycle.
    package var cycleTimeLimit: Duration
    /// What a stop leaves to uploads in flight.
    package var stopTimeLimit: Duration
    /// Attempts after the first, within one cycle.
    package var maxRetries: Int
    /// Longest wait between two attempts of one cycle.
    package var maxWait: Duration
    /// Uploads at a time, for each destination.
    package var uploadWidth: Int
    /// How long a delivered file is kept in `uploaded/`; nil keeps it for ever.
    package var uploadedRetention: Duration?
    /// Removes them only when space is short.
    package var purgesLazily = false
    /// Percent of the delivered files removed at once, whatever their age, when the volume is nearly full.
    package var purgePercent = 20
    /// What we may use of the volume; nil: all of it.
    package var availableStorageBytes: UInt64?

    package init(
        clusterName: String, cloudAccountID: String, region: String, version: String, hostName: String?,
        destinations: [DestinationOptions], sendInterval: Duration = .seconds(600),
        attemptTimeout: Duration = .seconds(120), cycleTimeLimit: Duration = .seconds(600),
        stopTimeLimit: Duration = .seconds(30), maxRetries: Int = 10, maxWait: Duration = .seconds(30),
        uploadWidth: Int = 3, uploadedRetention: Duration? = .seconds(2160 * 3600)
    ) {
        self.clusterName = clusterName
        self.cloudAccountID = cloudAccountID
        self.region = region
        self.version = version
        self.hostName = hostName
        self.destinations = destinations
        self.sendInterval = sendInterval
        self.attemptTimeout = attemptTimeout
        self.cycleTimeLimit = cycleTimeLimit
        self.stopTimeLimit = stopTimeLimit
        self.maxRetries = maxRetries
        self.maxWait = maxWait
        self.uploadWidth = uploadWidth
        self.uploadedRetention = uploadedRetention
    }

    /// Every fault at once, each a line; empty when the options work.
    package var faults: [String] {
        var faults: [String] = []
        if destinations.isEmpty { faults.append("no destination: name at least one") }
        let names = destinations.map(\.name)
        if Set(names).count != names.count { faults.append("two destinations have one name: give each its own") }
        for name in names where name.isEmpty { faults.append("a destination has an empty name") }
        if uploadWidth < 1 { faults.append("upload width \(uploadWidth): at least 1") }
        if maxRetries < 0 { faults.append("retries \(maxRetries): at least 0") }
        if !(1...100).contains(purgePercent) { faults.append("purge percent \(purgePercent): 1 to 100") }
        if sendInterval <= .zero { faults.append("send interval \(sendInterval): more than 0") }
        if attemptTimeout <= .zero { faults.append("attempt timeout \(attemptTimeout): more than 0") }
        for case .cloudZero(let options) in destinations where options.allocateChunk < 1 {
            faults.append("allocate chunk \(options.allocateChunk): at least 1")
        }
        for case .s3(let options) in destinations { faults += options.faults.map { "\(options.name): \($0)" } }
        return faults
    }
}

/// One place every file goes to. The name is the ledger's key: renaming a destination ships everything again.
package enum DestinationOptions: Sendable {
    /// Files under `path`, in folders `dt=…/hr=…` when `hive`, within one for each kind; samples have that one only
    /// when `byKind`.
    case directory(
        name: String, path: String, hive: Bool, byKind: Bool = false, compression: UploadCompression? = nil)
    case cloudZero(CloudZeroOptions)
    case s3(S3Options)

    package var name: String {
        switch self {
        case .directory(let name, _, _, _, _): name
        case .cloudZero(let options): options.name
        case .s3(let options): options.name
        }
    }

    /// Whether files of this kind go there. The upload API takes samples alone.
    func takes(_ kind: ReferenceID.Kind) -> Bool {
        switch self {
        case .cloudZero: kind.isOfSamples
        case .directory, .s3: true
        }
    }

    /// The label value of metrics.
    package var kind: String {
        switch self {
        case .directory: "directory"
        case .cloudZero: "cloudzero"
        case .s3: "s3"
        }
    }
}

/// The upload API (contract.md §1).
package struct CloudZeroOptions: Sendable {
    package var name: String
    /// Host, with an optional scheme (ignored: `useHTTP` decides) and path.
    package var host: String
    package var useHTTP: Bool
    package var apiKeyPath: String
    /// Where presigned URLs may point: `host`, `host:port` or `*.suffix`.
    package var uploadHosts: [String]
    /// Files an allocate call asks for.
    package var allocateChunk: Int
    /// A URL this close to its expiry is not used any more.
    package var presignMargin: Duration
    /// Sends `sha_256` and `size` with each file.
    package var sendsDigests: Bool

    package init(
        name: String = "cloudzero", host: String = "api.cloudzero.com", useHTTP: Bool = false, apiKeyPath: String,
        uploadHosts: [String] = ["*.amazonaws.com"], allocateChunk: Int = 200, presignMargin: Duration = .seconds(60),
        sendsDigests: Bool = false
    ) {
        self.name = name
        self.host = host
        self.useHTTP = useHTTP
        self.apiKeyPath = apiKeyPath
        self.uploadHosts = uploadHosts
        self.allocateChunk = allocateChunk
        self.presignMargin = presignMargin
        self.sendsDigests = sendsDigests
    }
}
