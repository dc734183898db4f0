internal import DiskIO
internal import Parquet
internal import Ship
internal import WAL

/// What the ledger says of files that did not go through.
struct Backlog: Sendable {
    let rows: [Shipment]
}

extension Doctor {
    /// What the log may take of the doctor's time; `czctl verify` has no limit.
    private static let logTimeLimit = Duration.seconds(20)

    mutating func checkLog(_ layout: VolumeLayout) {
        guard wants(.log) else { return }
        do {
            let survey = try LogSurvey(layout, in: fileSystem, live: nil)
            var faults = 0
            for name in survey.damagedManifests {
                faults += 1
                diagnosis.add(
                    .log, .fail, "neither copy of the manifest \(layout.wal)/\(name) is whole",
                    try: "restart the collector: it sets the manifest aside and compacts what is left")
            }
            let deadline = Clocks.system.uptime() + Self.logTimeLimit
            var unread = 0
            for segment in survey.segments where segment.state != .kept {
                guard Clocks.system.uptime() < deadline else {
                    unread += 1
                    continue
                }
                faults += try checkSegment(segment, layout)
            }
            let rest = unread == 0 ? "" : "; \(unread) were not read for lack of time (czctl verify reads them all)"
            let text = "\(survey.segments.count) segment\(survey.segments.count == 1 ? "" : "s")\(rest)"
            if faults == 0 { diagnosis.add(.log, .ok, text) }
        } catch {
            diagnosis.add(.log, .fail, "cannot read the log: \(error)", try: "czctl verify --data \(layout.root)")
        }
    }

    /// The number of its damaged places.
    private mutating func checkSegment(_ segment: LogSurvey.Segment, _ layout: VolumeLayout) throws -> Int {
        let directory = SegmentDirectory(layout.wal, in: fileSystem)
        let path = directory.path(of: segment.id)
        let summary: SegmentSummary
        do {
            var scanner = try SegmentScanner(
                segment.id, statedEnding: try directory.statedEnding(of: segment.id), directory: directory,
                in: fileSystem)
            summary = try scanner.scan { _ in }
        } catch let error as IOError where error.isNotFound {
            return 0  // compacted meanwhile
        }
        for range in summary.damage {
            let rows = range.rows.map { "\(HumanText.grouped($0)) rows" } ?? "rows that nobody can count"
            diagnosis.add(
                .log, .fail,
                "segment \(segment.id) is damaged from byte \(range.start) to \(range.end), with \(rows); the rest is"
                    + " used, and the collector keeps a copy in quarantine/",
                try: "czctl inspect wal \(path)")
        }
        return summary.damage.count
    }

    /// nil when there is none, or it cannot be read.
    mutating func checkLedger(_ layout: VolumeLayout) async -> Backlog? {
        let code = Permission.error(layout.ledger, isDirectory: false)
        if code != 0, code != Errno.notFound {
            let owner = Permission.owner(of: layout.ledger).map { " (\($0.text))" } ?? ""
            diagnosis.add(
                .ledger, .fail, "\(layout.ledger)\(owner) cannot be written: \(Errno.text(code))",
                try: "ls -l \(layout.ledger); chown it to the service's user")
            return nil
        }
        do {
            let rows = try await LedgerCopy.read(layout, fileSystem) { ledger throws(ShipError) in
                try await ledger.list(.states([.failed, .quarantined, .abandoned]))
            }
            diagnosis.add(.ledger, .ok, rows == nil ? "none yet" : layout.ledger)
            return rows.map { Backlog(rows: $0) }
        } catch let error as ShipError {
            diagnosis.add(
                .ledger, .fail, "\(layout.ledger): cannot \(error.act): \(error.cause)",
                try: error.reason == .damagedLedger
                    ? "restart the shipper: it keeps the file in quarantine/ and makes a new one from the directories"
                    : error.advice)
        } catch {
            diagnosis.add(.ledger, .fail, "\(error)")
        }
        return nil
    }

    mutating func checkFiles(_ layout: VolumeLayout, _ backlog: Backlog?) async {
        guard let backlog else {
            return diagnosis.hasFailed(.ledger)
                ? diagnosis.skip(.files, needs: .ledger) : diagnosis.add(.files, .ok, "none failed")
        }
        let before = diagnosis.findings.count
        let failed = backlog.rows.filter { $0.state == .failed }
        if let last = failed.max(by: { $0.changedMilliseconds < $1.changedMilliseconds }) {
            await reportFailed(failed, last, layout)
        }
        for (state, word) in [(ShipmentState.quarantined, "quarantined"), (.abandoned, "abandoned")] {
            let rows = backlog.rows.filter { $0.state == state }
            guard let first = rows.first else { continue }
            diagnosis.add(
                .files, .warn, "\(rows.count) \(word), as \(first.file)", try: "czctl files describe \(first.file)")
        }
        if diagnosis.findings.count == before { diagnosis.add(.files, .ok, "none failed") }
    }

    private mutating func reportFailed(_ failed: [Shipment], _ last: Shipment, _ layout: VolumeLayout) async {
        let reason = last.lastError.map { ", last: \($0.text)" } ?? ""
        let text = "\(failed.count) failed at \(last.destination)\(reason)"
        // Nothing stands in their way any more: they need not wait for their back-off.
        guard fixes, diagnosis.count(.fail) == 0 else {
            return diagnosis.add(.files, .warn, text, try: "czctl retry --state failed --data \(layout.root)")
        }
        do {
            let rows = try await Ledger.openExisting(layout, fileSystem)
                .retry(.states([.failed]), dryRun: false, at: Clocks.system.wallMilliseconds())
            _ = await LiveServices.wakeShipper(layout)
            diagnosis.add(.files, .fixed, "put \(rows.count) failed files back in the queue")
        } catch {
            diagnosis.add(.files, .warn, "\(text); \(error)", try: "czctl retry --state failed --data \(layout.root)")
        }
    }

    /// What the running services say of themselves, and whether one is missing.
    mutating func checkServices(_ layout: VolumeLayout, _ live: [LiveStatus]) {
        guard !live.isEmpty else { return diagnosis.add(.service, .ok, "none runs on this volume") }
        var seen: Set<Int32> = []
        for service in live where seen.insert(service.pid).inserted {
            let complaints = [
                service.walError.map { "the log cannot be written: \($0)" },
                service.readiness == "ready" ? nil : "it is not ready: \(service.readiness)",
                service.compactionError.map { "compaction fails: \($0)" },
                service.shipLastError.map { "shipping fails: \($0)" },
            ].compactMap(\.self)
            if complaints.isEmpty {
                diagnosis.add(.service, .ok, "\(service.role) \(service.version), pid \(service.pid), ready")
            }
            for complaint in complaints {
                diagnosis.add(.service, .fail, "\(service.role): \(complaint)", try: "czctl status")
            }
        }
        guard live.allSatisfy({ $0.role == "collector" }), !DirectoryLock.isHeld(layout.shipperLock) else { return }
        // A directory that is not there has no files.
        let waiting = ((try? fileSystem.list(layout.outbox)) ?? []).count { ReferenceID($0) != nil }
        guard waiting > 0 else { return }
        diagnosis.add(
            .service, .fail, "no shipper runs, and \(waiting) files wait for one in \(layout.outbox)",
            try: "czctl shipper --config FILE; in a pod, look at its container \"shipper\"")
    }
}
