internal import Configuration
internal import DiskIO
internal import Glibc
internal import JSON
internal import Logging
internal import Synchronization

/// The service's log: one line an event to stderr, JSON or logfmt, `ts level msg component` first. Control characters
/// in values are escaped, so that a sender cannot write lines of its own.
struct StructuredLog: LogHandler {
    let component: String
    let format: LogFormat
    /// One for all copies of the logger: a reload changes it everywhere.
    let threshold: LogThreshold
    let recent: RecentLog
    var metadata: Logger.Metadata = [:]

    var logLevel: Logger.Level {
        get { threshold.level }
        set { threshold.level = newValue }
    }

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let now = HumanText.time(Clocks.system.wallMilliseconds())
        var fields = [
            ("ts", now), ("level", "\(event.level)"), ("msg", "\(event.message)"), ("component", component),
        ]
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        fields += all.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
        Self.write(line(fields))
        // It goes into support bundles, where labels have no place (RefusalLog).
        recent.append(line(fields.filter { $0.0 != "answer" }))
    }

    private func line(_ fields: [(String, String)]) -> String {
        switch format {
        case .json:
            "{" + fields.map { "\(Self.quoted($0.0)):\(Self.value($0.1, of: $0.0))" }.joined(separator: ",") + "}\n"
        case .logfmt: fields.map { "\($0.0)=\(Self.plainOrQuoted($0.1))" }.joined(separator: " ") + "\n"
        }
    }

    /// Fields that are counts, bytes, percents or seconds, and numbers in JSON for whoever sums and compares them. Of
    /// ids, such as a segment's, no number is made; those of the state, `intake.in_flight_bytes`, are all numbers.
    private static let numbers: Set = [
        "attempt", "bytes", "count", "failed", "files", "from", "more_since_last", "port", "quarantined", "removed",
        "rows", "seconds", "segments", "status", "to", "unsent", "uploaded", "used_percent",
    ]

    /// Text where it is no number after all: the type of a field does not hang on what it says elsewhere.
    private static func value(_ text: String, of key: String) -> String {
        // What is no JSON is no number.
        guard numbers.contains(key) || key.contains("."), case .number = try? JSONValue(parsing: text.utf8) else {
            return quoted(text)
        }
        return text
    }

    /// One write call a line: lines of several threads do not mix.
    private static func write(_ line: String) {
        let bytes = Array(line.utf8)
        // SAFETY: write reads bytes.count bytes of the array. A log that cannot be written has nobody to tell.
        _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(2, $0.baseAddress, $0.count) }
    }

    private static func plainOrQuoted(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x3D }
        return isPlain ? text : quoted(text)
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }
}

/// The last lines of a log, for whoever asks the service. They are as they were logged: without secrets.
final class RecentLog: Sendable {
    private static let lineLimit = 200
    private static let byteLimit = 2048

    private let stored = Mutex<[String]>([])

    var lines: [String] { stored.withLock { $0 } }

    func append(_ line: String) {
        let kept = line.utf8.count <= Self.byteLimit ? line : String(line.prefix(Self.byteLimit / 4)) + "...\n"
        stored.withLock { lines in
            if lines.count == Self.lineLimit { lines.removeFirst() }
            lines.append(kept)
        }
    }
}

/// The least level that is logged.
final class LogThreshold: Sendable {
    private let stored: Mutex<Logger.Level>

    init(_ level: Logger.Level) { stored = Mutex(level) }

    var level: Logger.Level {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }
}

extension Logger.Level {
    init(_ level: LogLevel) {
        self =
            switch level {
            case .trace: .trace
            case .debug: .debug
            case .info: .info
            case .notice: .notice
            case .warn: .warning
            case .error: .error
            case .critical: .critical
            }
    }
}
