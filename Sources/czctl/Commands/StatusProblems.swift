internal import DiskIO
internal import Ship
internal import WAL

/// What makes a volume unhealthy (exit 3). A stopped volume has only the problem of being unreadable: that nothing runs
/// is not a fault that `status` can judge. One whose lock is held by somebody who does not answer is not stopped.
///
/// With a service that answers:
/// - it is not ready, unless it was drained and nothing is left;
/// - the log cannot be written, or compaction or the shipper report an error;
/// - files wait beside a collector, and no shipper holds its lock;
/// - a destination has files waiting, and its last error is newer than its last success;
/// - files are kept for a destination that the shipper has not, which a drain does not wait for;
/// - the volume is 95 % full (the threshold `critical` of contract.md §4);
/// - something came into quarantine in the last hour.
///
/// Always, for then this report is not whole: a ledger or a commit manifest that cannot be read, a damaged segment.
extension StatusInputs {
    static let fullRatio = 0.95
    static let quarantineWindow: Int64 = 3_600_000

    var usedRatio: Double {
        space.total == 0 ? 0 : Double(space.total - min(space.free, space.total)) / Double(space.total)
    }

    var problems: [StatusReport.Problem] { unreadable + unanswered + (live.isEmpty ? [] : liveProblems) }

    private typealias Problem = StatusReport.Problem

    private var unreadable: [StatusReport.Problem] {
        var found: [StatusReport.Problem] = []
        if let error = files.ledgerError {
            found.append(Problem(text: "cannot \(error.act): \(error.cause)", advice: error.advice))
        }
        for name in log.damagedManifests {
            found.append(
                Problem(
                    text: "cannot read the commit manifest \(layout.wal)/\(name): neither copy is whole",
                    advice: "restart the collector: it sets the manifest aside and compacts what is left"))
        }
        for segment in log.segments where segment.verdict == .damaged || segment.verdict == .missing {
            let path = "\(layout.wal)/\(SegmentDirectory.name(of: segment.id))"
            found.append(
                Problem(text: "segment \(segment.id) of the log is damaged", advice: "czctl inspect wal \(path)"))
        }
        return found
    }

    private var unanswered: [StatusReport.Problem] {
        silent.map { owner in
            Problem(
                text: "\(owner) has the volume and does not answer: it starts, stops or hangs",
                advice: "czctl doctor; then the log of that process")
        }
    }

    private var liveProblems: [StatusReport.Problem] {
        var found: [StatusReport.Problem] = []
        let waiting = files.unsent.files + Int64(files.undiscovered.count)
        if isShipperMissing, waiting > 0 {
            found.append(
                Problem(
                    text: "no shipper runs, and \(HumanText.grouped(Int(waiting))) files wait for one",
                    advice: "start it: czctl shipper --config FILE; in a pod: its container \"shipper\""))
        }
        for service in live {
            if let error = service.walError {
                found.append(Problem(text: "the log cannot be written: \(error)", advice: "df -h \(layout.root)"))
            } else if service.readiness != "ready", !isDrained(service) {
                found.append(Problem(text: "the \(service.role) is not ready: \(service.readiness)", advice: nil))
            }
            if let error = service.compactionError {
                found.append(Problem(text: "compaction fails: \(error)", advice: "df -h \(layout.root)"))
            }
        }
        let failing = files.destinations.filter { isConfigured($0.name) }.compactMap(problem)
        found += failing + kept
        if failing.isEmpty, let error = shipper?.shipLastError {
            found.append(Problem(text: "the shipper fails: \(error)", advice: "czctl files list --state failed"))
        }
        if usedRatio >= Self.fullRatio {
            let percent = HumanText.decimal(usedRatio * 100)
            found.append(
                Problem(
                    text: "the volume is \(percent) % full: \(HumanText.bytes(space.free)) are free",
                    advice: "free space on the volume or enlarge it"))
        }
        if let last = lastQuarantined, now - last < Self.quarantineWindow {
            found.append(
                Problem(
                    text: "quarantined \(HumanText.duration(milliseconds: now - last)) ago:"
                        + " \(quarantine.files) files in \(layout.quarantine)",
                    advice: "czctl files list --state quarantined"))
        }
        return found
    }

    /// Without a shipper that answers, each may be.
    private func isConfigured(_ destination: String) -> Bool { shipper?.destinations?.contains(destination) ?? true }

    /// Files for destinations that nobody sends to, one line each.
    private var kept: [StatusReport.Problem] {
        let former = files.counts.filter { $0.state.isUnsent && !isConfigured($0.destination) }
        return Set(former.map(\.destination)).sorted().map { destination in
            let count = Int(former.filter { $0.destination == destination }.reduce(0) { $0 + $1.files })
            let name = HumanText.line(destination)
            return Problem(
                text: "\(HumanText.grouped(count)) file\(count == 1 ? " is" : "s are") kept for \(name), which is not"
                    + " configured any more",
                advice: "name it again, or give them up: czctl abandon --destination \(name) --reason WHY")
        }
    }

    /// The readiness of a service that `czctl drain` has asked to take nothing more.
    static let draining = "draining"

    /// Stopped on purpose, as far as a process that still runs can be: nothing is wrong with it.
    private func isDrained(_ service: LiveStatus) -> Bool {
        service.readiness == Self.draining && log.rows == 0 && files.unsent.files == 0 && files.undiscovered.isEmpty
    }

    /// nil while the destination takes files, or has nothing to take.
    private func problem(of destination: DestinationSummary) -> StatusReport.Problem? {
        let waiting = files.counts.filter { $0.destination == destination.name && $0.state.isUnsent }
            .reduce(0) { $0 + $1.files }
        guard waiting > 0, let error = destination.lastError,
            error.atMilliseconds >= destination.lastSuccessMilliseconds ?? .min
        else { return nil }
        let since =
            destination.lastSuccessMilliseconds
            .map { ", last success \(HumanText.duration(milliseconds: now - $0)) ago" } ?? ", never a success"
        return Problem(
            text: "uploads to \(destination.name) fail: \(waiting) files wait\(since): \(HumanText.line(error.text))",
            advice: "czctl files list --state failed")
    }
}
