internal import DiskIO
internal import Logging
internal import Metrics

/// How full the volume is (contract.md §4). From `medium` on, old delivered files go; from `high` on, young ones too.
package enum DiskPressure: Int, Comparable, Sendable {
    case none, low, medium, high, critical

    /// - Parameters:
    ///   - usedPercent: of the volume, or of what we may use of it.
    ///   - isInMemory: the volume takes its room from the programs.
    package init(usedPercent: Double, isInMemory: Bool = false) {
        let marks: [(from: Double, pressure: DiskPressure)] =
            isInMemory
            ? [(80, .critical), (60, .high), (40, .medium), (20, .low)]
            : [(95, .critical), (85, .high), (70, .medium), (50, .low)]
        self = marks.first { usedPercent >= $0.from }?.pressure ?? .none
    }

    package static func < (one: DiskPressure, other: DiskPressure) -> Bool { one.rawValue < other.rawValue }
}

/// What is used, of how much.
struct DiskUsage: Equatable, Sendable {
    var used: UInt64
    var total: UInt64
    var isInMemory = false

    var percent: Double { Double(used) / Double(max(total, 1)) * 100 }
    var pressure: DiskPressure { DiskPressure(usedPercent: percent, isInMemory: isInMemory) }
}

extension ShipmentPass {
    /// Files removed at a time.
    private static let purgeLimit = 1_000
    /// How long the row of a purged file stays: 90 days, in which a name that comes back is known.
    private static let tombstoneMilliseconds: Int64 = 90 * 86_400_000

    /// Removes local copies that every destination has: those past their retention, or, when space is short, the oldest
    /// share of all of them. What is not delivered is never removed (I8), wherever it was to go.
    func purge() async throws -> Int {
        try await context.ledger.forgetPurged(before: context.now - Self.tombstoneMilliseconds, limit: Self.purgeLimit)
        try await sayWhatFormerDestinationsLack()
        let found = try usage()
        let (pressure, isInMemory) = (found.pressure, found.isInMemory)
        var purged = 0
        if let retention = context.options.uploadedRetention, !context.options.purgesLazily || pressure >= .medium {
            let before = context.now - Int64(retention / .milliseconds(1))
            let old = try await context.ledger.purgeable(
                before: before, limit: Self.purgeLimit, configured: senders.map(\.name))
            purged += try await purge(old)
        }
        guard try usage().pressure >= .high else { return purged }
        let delivered = try await context.ledger.purgeable(before: .max, limit: .max, configured: senders.map(\.name))
        // At the critical mark, and from the high one on in memory, two and a half times as many: by default a fifth of
        // them, and half.
        let isSevere = pressure == .critical || isInMemory
        let percent = Int64(context.options.purgePercent) * (isSevere ? 5 : 2) / 2
        let share = (delivered.count * Int(min(percent, 100)) + 99) / 100
        context.metrics.diskCleanupPercentage.set(Double(min(percent, 100)))
        let removed = try await purge(Array(delivered.prefix(min(share, Self.purgeLimit))))
        let percentNow = Int(try usage().percent)
        if removed > 0 {
            context.logger.warning(
                "space was short: local copies of delivered files are removed before their time",
                metadata: ["removed": "\(removed)", "used_percent": "\(percentNow)"])
        }
        return purged + removed
    }

    /// Such files take space until somebody decides: in the log of each cycle, since no cycle sends them.
    private func sayWhatFormerDestinationsLack() async throws {
        let configured = senders.map(\.name)
        let lacking = try await context.ledger.counts().filter {
            $0.state.isUnsent && !configured.contains($0.destination)
        }
        guard !lacking.isEmpty else { return }
        context.logger.warning(
            "files that a destination not configured now lacks are kept: name it again, or czctl abandon --destination",
            metadata: [
                "count": "\(lacking.reduce(0) { $0 + $1.files })",
                "destinations": "\(Set(lacking.map(\.destination)).sorted().joined(separator: ","))",
            ])
    }

    private func purge(_ files: [String]) async throws -> Int {
        guard !files.isEmpty else { return 0 }
        try await move(files, from: .uploaded, to: .purging)
        for file in files {
            let path = "\(context.layout.uploaded)/\(file)"
            if try context.fileSystem.exists(path) { try context.fileSystem.remove(path) }
        }
        try context.fileSystem.syncDirectory(context.layout.uploaded)
        try await move(files, from: .purging, to: .purged)
        context.metrics.diskCleanupSuccesses.add(files.count)
        return files.count
    }

    private func move(_ files: [String], from: ShipmentState, to: ShipmentState) async throws {
        let rows = try await context.ledger.list(.files(files)).filter { $0.state == from }
        _ = try await context.ledger.apply(rows.map { LedgerMove($0, to: to, .none, "retention") }, at: context.now)
    }

    /// Of the volume; with `database.available_storage` what our own files take of that.
    func usage() throws(IOError) -> DiskUsage {
        guard let available = context.options.availableStorageBytes else {
            let space = try context.fileSystem.space(context.layout.root)
            return DiskUsage(
                used: space.total - min(space.free, space.total), total: space.total, isInMemory: space.isInMemory)
        }
        let layout = context.layout
        var used = try context.fileSystem.status(layout.ledger)?.allocatedByteCount ?? 0
        for folder in [
            layout.wal, layout.staging, layout.outbox, layout.uploaded, layout.abandoned, layout.quarantine,
            layout.reserve, layout.compressed,
        ] where try context.fileSystem.exists(folder) {
            for name in try context.fileSystem.list(folder) {
                // It may have gone since it was listed.
                used += try context.fileSystem.status("\(folder)/\(name)")?.allocatedByteCount ?? 0
            }
        }
        return DiskUsage(used: used, total: available)
    }

    /// Sets the gauges from the ledger and the volume.
    func refreshMetrics() async throws -> UnsentSummary {
        let unsent = try await context.ledger.unsent(at: senders.map(\.name))
        let counts = try await context.ledger.counts()
        let usage = try usage()
        let metrics = context.metrics
        metrics.unsentFiles.set(Double(unsent.files))
        metrics.unsentBytes.set(Double(unsent.bytes))
        metrics.unsentRows.set(Double(unsent.rows))
        metrics.oldestUnsentSince.set(Double(unsent.oldestDiscoveredMilliseconds ?? 0) / 1_000)
        metrics.diskUnsentFiles.set(Double(unsent.files))
        for (label, gauge) in metrics.files {
            let found = counts.filter { $0.state.metricLabel == label }
            gauge.set(Double(found.reduce(0) { $0 + $1.files }))
            metrics.rows[label]?.set(Double(found.reduce(0) { $0 + $1.rows }))
        }
        func files(_ state: ShipmentState) -> Double {
            Double(counts.filter { $0.state == state }.reduce(0) { $0 + $1.files })
        }
        metrics.diskSentFiles.set(files(.uploaded))
        metrics.quarantinedFiles.set(files(.quarantined))
        metrics.abandonedFiles.set(files(.abandoned))
        metrics.newFilesProcessing.set(0)
        metrics.diskTotalBytes.set(Double(usage.total))
        metrics.diskUsedBytes.set(Double(usage.used))
        metrics.diskUsedPercentage.set(usage.percent)
        var waiting = 0
        for sender in senders { waiting += try await context.ledger.abandonments(sender.name, limit: 1_000).count }
        metrics.replayCurrent.set(Double(waiting))
        metrics.diskReplayRequests.set(Double(waiting))
        return unsent
    }
}
