/// The answer of `czctl status -o json` and of `/api/v1/status`: `czctl.status/v1`.
///
/// Keys are this type's, in snake_case; times are RFC 3339, sizes bytes, durations seconds. A key that has nothing to
/// say is left out. Keys are only ever added.
struct StatusReport: Codable, Sendable {
    enum State: String, Codable, Sendable {
        /// A service answers, and nothing is wrong.
        case running
        /// Something is wrong, or a service has the volume and does not answer: `problems` says what.
        case degraded
        /// No service has the volume: stopped, killed, or never started.
        case stopped
    }

    struct Problem: Codable, Equatable, Sendable {
        let text: String
        /// A first step.
        let advice: String?
    }

    struct Service: Codable, Sendable {
        let role: String
        let version: String
        let pid: Int32
        let uptimeSeconds: Double
        /// `ready`, or why not.
        let readiness: String
        /// Until the shipper's next cycle; left out while one runs.
        let nextShipInSeconds: Double?
    }

    /// Since the collector's start, but for `recent…`.
    struct Intake: Codable, Sendable {
        let samplesReceived: Int
        let samplesStored: Int
        let samplesRejected: Int
        let samplesFiltered: Int
        let samplesDeduplicated: Int
        /// Received, a second, since the start.
        let samplesPerSecond: Double
        let requestP99Seconds: Double?
        /// How far back `recent…` looks: two minutes, or to the start.
        let recentSeconds: Double?
        let recentSamplesPerSecond: Double?
        let recentRequestP99Seconds: Double?
        let requestLatency: LiveStatus.Latency?
        let lastReceivedSecondsAgo: Double?
        /// Lists of `metrics.*` that exist, with their rules.
        let filters: [LiveStatus.Filter]
    }

    struct SegmentSum: Codable, Sendable {
        var segments = 0
        var bytes: UInt64 = 0
        var rows: UInt64 = 0
    }

    struct Log: Codable, Sendable {
        /// Rows that are in no file yet.
        var rows: UInt64 = 0
        var segments = 0
        var bytes: UInt64 = 0
        var sealed = SegmentSum()
        var active = SegmentSum()
        /// In files already, being removed.
        var committed = SegmentSum()
        /// Kept for histograms, exemplars and metadata that are in no file.
        var kept = SegmentSum()
        var oldestAt: String?
        /// How the newest segment ends: sealed, unsealed, torn, poisoned, damaged, missing.
        var newestVerdict: String?
        var fsyncP99Seconds: Double?
        /// Over the same time as the intake's.
        var recentFsyncP99Seconds: Double?
        /// Segments in work, `<first>-<last>`.
        var compacting: String?
        /// Of their rows, how many are written, 0 to 100.
        var compactingPercent: Int?
    }

    /// Files by state. With several destinations a file counts once for each.
    struct Files: Codable, Equatable, Sendable {
        var ready: Int64 = 0
        var uploading: Int64 = 0
        var failed: Int64 = 0
        /// Delivered, purged ones among them.
        var uploaded: Int64 = 0
        /// Delivered, and no local copy is left.
        var purged: Int64 = 0
        var abandoned: Int64 = 0
        var quarantined: Int64 = 0
    }

    /// Not yet at every destination; a file counts once.
    struct Unsent: Codable, Sendable {
        var files: Int64
        var bytes: Int64
        var rows: Int64
        var oldestAt: String?
    }

    struct Failure: Codable, Sendable {
        let at: String
        let code: String
        let text: String
    }

    struct Destination: Codable, Sendable {
        let name: String
        let files: Files
        /// Ever, also of files that are purged.
        let uploadedFiles: Int64
        let uploadedBytes: Int64
        let uploadedRows: Int64
        let lastSuccessAt: String?
        let lastError: Failure?
    }

    struct Disk: Codable, Sendable {
        let path: String
        let totalBytes: UInt64
        let freeBytes: UInt64
        let usedBytes: UInt64
        /// 0 to 1.
        let usedRatio: Double
        /// Of files, at the pace of the last day of work; left out while less than an hour of it is known.
        let growthBytesPerDay: Int64?
        /// Until nothing is free, at that pace and without purging.
        let fullInSeconds: Double?
    }

    /// Where every stored row is. `log` and `outbox` are the same for all destinations.
    struct Balance: Codable, Equatable, Sendable {
        /// nil while no destination has a row.
        let destination: String?
        let inLog: Int64
        let inOutbox: Int64
        let uploaded: Int64
        let abandoned: Int64
        /// In files that are quarantined.
        let quarantined: Int64
        let total: Int64
    }

    /// Sums over the commit manifests at hand: those of about the last `dedup.window`.
    struct Compaction: Codable, Equatable, Sendable {
        var manifests = 0
        var requests = 0
        var logRows = 0
        var writtenRows = 0
        var deduplicatedRows = 0
        /// Same series and time with another value: both written.
        var conflictingRows = 0
        /// Lost to damaged records, whose segments are in `quarantine/`.
        var quarantinedRows = 0
        var rejectedSamples = 0
        var filteredSamples = 0
    }

    static let schemaName = "czctl.status/v1"

    private(set) var schema = StatusReport.schemaName
    /// Of the program that gave the report.
    private(set) var version = Version.number
    let time: String
    let path: String
    let volume: String?
    let shipperId: String?
    /// Whether the collector's last stop was graceful; a running one has removed the marker.
    let isStopComplete: Bool
    let state: State
    let problems: [Problem]
    let services: [Service]
    let intake: Intake?
    let log: Log
    let files: Files
    let unsent: Unsent
    let destinations: [Destination]
    let disk: Disk?
    let quarantine: DirectorySurvey
    let abandoned: DirectorySurvey
    /// The original agent's files at the root: left alone.
    let originals: DirectorySurvey
    let balance: [Balance]
    let compaction: Compaction

    /// 3 when something is wrong, 0 otherwise: also when stopped.
    var exitStatus: ExitStatus? { problems.isEmpty ? nil : .findings }
}
