/// A request over the control socket: one JSON line, answered by one JSON line.
///
/// The socket only wakes and asks: every change an operator makes is a guarded ledger transaction (design.md §6).
struct ControlCommand: Codable, Sendable {
    enum Name: String, Codable, Sendable {
        case status
        /// Look for files now.
        case wake
        /// Refuse writes, seal and compact everything; on the shipper: ship everything.
        case drain
        /// One cycle of the shipper, also for files whose back-off is not over.
        case ship
        /// Seal and compact everything that was accepted.
        case flush
        /// Read the configuration, certificates and credentials again.
        case reload
        /// Metrics and the last lines of the log.
        case diagnose
    }

    var name: Name
    var timeoutSeconds: Double?

    static let status = ControlCommand(name: .status)
    static let wake = ControlCommand(name: .wake)
}

struct ControlReply: Codable, Sendable {
    var status: LiveStatus?
    /// Outcome of a drain.
    var drained: DrainOutcome?
    var shipped: ShipOutcome?
    var flushed: FlushOutcome?
    var reloaded: ReloadOutcome?
    /// As on `/metrics`.
    var metrics: String?
    var log: [String]?
    /// Why the command failed.
    var error: String?
}

/// What one cycle of the shipper did.
struct ShipOutcome: Codable, Sendable {
    var uploadedFiles = 0
    var failedFiles = 0
    var quarantinedFiles = 0
    var unsentFiles = 0
    var unsentRows = 0
    var lastError: String?
}

/// Files that a flush made, and their rows.
struct FlushOutcome: Codable, Sendable {
    var files = 0
    var rows = 0
}

/// What a reload took over: all that can be, or nothing when there are faults.
struct ReloadOutcome: Codable, Sendable {
    /// Keys that hold from now on.
    var changed: [String] = []
    /// Keys that changed too, and wait for the next start.
    var needsRestart: [String] = []
    var faults: [String] = []

    var text: String {
        guard faults.isEmpty else { return faults.joined(separator: "\n") }
        let now = changed.isEmpty ? "nothing changed" : "changed \(changed.joined(separator: ", "))"
        return needsRestart.isEmpty ? now : "\(now); needs a restart: \(needsRestart.joined(separator: ", "))"
    }
}

/// What a drain left.
struct DrainOutcome: Codable, Sendable {
    var unsentFiles = 0
    var unsentRows = 0
    var quarantinedFiles = 0
    /// The last failure of a shipment, when something is left.
    var lastError: String?
}
