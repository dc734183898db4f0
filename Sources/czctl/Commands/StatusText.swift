internal import Bytes
internal import DiskIO
internal import Ship
internal import WAL

/// The one screen of `czctl status`, for people.
struct StatusText {
    let report: StatusReport
    /// Somebody has the volume and does not answer.
    private let isSilent: Bool
    /// Of the report, for ages: another machine's clock is no matter.
    private let now: Int64?

    init(_ inputs: StatusInputs) { self.init(StatusReport(inputs), isSilent: !inputs.silent.isEmpty) }

    /// - Parameter isSilent: never where a service gave the report.
    init(_ report: StatusReport, isSilent: Bool = false) {
        (self.report, self.isSilent) = (report, isSilent)
        now = HumanText.milliseconds(report.time)
    }

    var text: String {
        var lines = [headline, ""]
        if let intake = report.intake { lines.append(line("INTAKE", Self.parts(intake))) }
        lines += (report.intake?.filters ?? []).map { line("FILTER", Self.parts($0)) }
        lines.append(line("WAL", log))
        lines.append(line("FILES", files))
        lines += ship
        if let disk = report.disk { lines.append(line("DISK", [diskText(disk)])) }
        lines += balance
        lines += leftovers
        for problem in report.problems {
            lines += ["", HumanText.line(problem.text)] + (problem.advice.map { ["  Try: \($0)"] } ?? [])
        }
        return lines.joined(separator: "\n")
    }

    private func line(_ title: String, _ parts: [String]) -> String {
        title + String(repeating: " ", count: max(1, 11 - title.count)) + parts.joined(separator: "   ")
    }

    private var headline: String {
        let name = report.shipperId ?? report.path
        guard !report.services.isEmpty else {
            guard !isSilent else { return "\(name)   \(health)" }
            let never = report.volume == nil && report.log.segments == 0 && report.destinations.isEmpty
            return "\(name)  stopped\(never ? ": never started" : stop)"
        }
        let services = report.services.map { service in
            "\(service.role) \(service.version) (pid \(service.pid))"
                + " up \(HumanText.duration(milliseconds: HumanText.whole(service.uptimeSeconds * 1000)))"
        }.joined(separator: "  ")
        return "\(name)  \(services)   \(health)"
    }

    /// `ok`, `DRAINED`, or `DEGRADED: ` and what stands before the first problem's details.
    private var health: String {
        guard let first = report.problems.first else {
            guard report.services.contains(where: { $0.readiness == StatusInputs.draining }) else { return "ok" }
            return "DRAINED: nothing is left to send; it takes nothing until it is started again"
        }
        let text = HumanText.line(first.text)
        return "DEGRADED: " + (text.firstRange(of: ": ").map { String(text[..<$0.lowerBound]) } ?? text)
    }

    /// How the collector ended, by its marker, or else by the log it left.
    private var stop: String {
        if report.isStopComplete { return "" }
        return switch report.log.newestVerdict {
        case "unsealed", "torn":
            "; the collector was killed: the next start reads the log, nothing acknowledged is lost"
        case "poisoned": "; the log's last write failed"
        case "damaged", "missing": "; the log is damaged"
        default: ""
        }
    }

    private static func parts(_ intake: StatusReport.Intake) -> [String] {
        var parts: [String] = []
        if let rate = intake.recentSamplesPerSecond, let seconds = intake.recentSeconds {
            let span = HumanText.duration(milliseconds: HumanText.whole(seconds * 1000))
            parts.append("\(HumanText.grouped(HumanText.whole(rate.rounded()))) samples/s in the last \(span)")
        }
        if let p99 = intake.recentRequestP99Seconds { parts.append("p99 \(HumanText.latency(seconds: p99))") }
        parts.append("\(HumanText.grouped(intake.samplesReceived)) samples")
        parts.append("\(HumanText.grouped(intake.samplesRejected)) rejected")
        for (count, word) in [(intake.samplesFiltered, "filtered"), (intake.samplesDeduplicated, "repeated")]
        where count > 0 { parts.append("\(HumanText.grouped(count)) \(word)") }
        if let last = intake.lastReceivedSecondsAgo {
            parts.append("last \(HumanText.duration(milliseconds: HumanText.whole(last * 1000))) ago")
        }
        return parts
    }

    private static func parts(_ filter: LiveStatus.Filter) -> [String] {
        let shown = filter.rules.prefix(8).map { "\(HumanText.line($0.rule)) \(HumanText.grouped($0.matches))" }
        let rest = filter.rules.count > shown.count ? ["and \(filter.rules.count - shown.count) more"] : []
        let dropped = filter.droppedSamples.map { ["\(HumanText.grouped($0)) samples dropped"] } ?? []
        return [filter.list] + dropped + shown + rest
    }

    private var log: [String] {
        let log = report.log
        var parts = [
            "\(log.segments) segment\(log.segments == 1 ? "" : "s")", HumanText.bytes(log.bytes),
            "\(HumanText.grouped(log.rows)) rows",
        ]
        if let oldest = log.oldestAt { parts.append("oldest \(age(oldest))") }
        for (sum, word) in [(log.sealed, "sealed"), (log.active, "active"), (log.kept, "kept")] where sum.segments > 0 {
            parts.append("\(sum.segments) \(word)")
        }
        if let p99 = log.recentFsyncP99Seconds { parts.append("fsync p99 \(HumanText.latency(seconds: p99))") }
        if let compacting = log.compacting {
            parts.append("compacting \(compacting)" + (log.compactingPercent.map { ", \($0) %" } ?? ""))
        }
        return parts
    }

    private var files: [String] {
        let files = report.files
        var parts = [
            "ready \(files.ready)", "uploading \(files.uploading)", "failed \(files.failed)",
            "uploaded \(files.uploaded)", "quarantined \(files.quarantined)",
        ]
        if files.abandoned > 0 { parts.append("abandoned \(files.abandoned)") }
        return parts
    }

    private var ship: [String] {
        report.destinations.enumerated().map { index, destination in
            var parts = [destination.name]
            parts.append(destination.lastSuccessAt.map { "last ok \(age($0)) ago" } ?? "never a success")
            // Times of one form are ordered as their texts are.
            if let error = destination.lastError, error.at >= destination.lastSuccessAt ?? "" {
                parts.append("last error \(age(error.at)) ago: \(error.code)")
            }
            if index == 0 {
                if let next = report.services.compactMap(\.nextShipInSeconds).first {
                    parts.append("next in \(HumanText.duration(milliseconds: HumanText.whole(next * 1000)))")
                }
                parts.append("backlog \(report.unsent.files) files   \(HumanText.bytes(report.unsent.bytes))")
            }
            return line(index == 0 ? "SHIP" : "", parts)
        }
    }

    private func diskText(_ disk: StatusReport.Disk) -> String {
        let percent = HumanText.grouped(HumanText.whole(disk.usedRatio * 100))
        return "\(disk.path)  \(HumanText.bytes(disk.usedBytes)) of \(HumanText.bytes(disk.totalBytes)) (\(percent) %)"
            + "   \(HumanText.bytes(disk.freeBytes)) free" + forecast(disk)
    }

    /// `   full in 31d4h at 1.2 GiB a day`, of what is worth knowing: ten years are not.
    private func forecast(_ disk: StatusReport.Disk) -> String {
        guard let seconds = disk.fullInSeconds, let growth = disk.growthBytesPerDay, seconds < 3650 * 86_400 else {
            return ""
        }
        let time = HumanText.duration(milliseconds: HumanText.whole(seconds * 1000))
        return "   full in \(time) at \(HumanText.bytes(growth)) a day"
    }

    private var balance: [String] {
        report.balance.enumerated().map { index, balance in
            var parts = [
                "in log \(HumanText.grouped(balance.inLog))", "in outbox \(HumanText.grouped(balance.inOutbox))",
                "uploaded \(HumanText.grouped(balance.uploaded))",
                "quarantined \(HumanText.grouped(balance.quarantined))",
            ]
            if balance.abandoned > 0 { parts.append("abandoned \(HumanText.grouped(balance.abandoned))") }
            parts.append("= \(HumanText.grouped(balance.total)) rows")
            if report.balance.count > 1, let name = balance.destination { parts.insert(name, at: 0) }
            return line(index == 0 ? "BALANCE" : "", parts)
        }
    }

    /// Lines that are there only when there is something.
    private var leftovers: [String] {
        let layout = VolumeLayout(root: report.path)
        var lines: [String] = []
        if report.quarantine.files > 0 {
            let what = "\(report.quarantine.files) files   \(HumanText.bytes(report.quarantine.bytes))"
            lines.append(line("QUARANTINE", [what, layout.quarantine]))
        }
        if report.abandoned.files > 0 {
            let what = "\(report.abandoned.files) files   \(HumanText.bytes(report.abandoned.bytes))"
            lines.append(line("ABANDONED", [what, layout.abandoned]))
        }
        if report.originals.files > 0 {
            let what = "\(report.originals.files) files   \(HumanText.bytes(report.originals.bytes))"
            lines.append(line("ORIGINAL", [what, "of the original agent, left alone"]))
        }
        return lines
    }

    private func age(_ time: String) -> String {
        guard let now, let then = HumanText.milliseconds(time) else { return "?" }
        return HumanText.duration(milliseconds: now - then)
    }
}
