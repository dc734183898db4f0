internal import DiskIO
internal import Metrics

extension ShipmentPass {
    /// Files removed in one cycle.
    private static let purgeLimit = 1_000

    /// Removes local copies that every destination has, some time after the last delivery. What is not delivered is
    /// never removed (I8).
    func purge() async throws -> Int {
        guard let retention = context.options.uploadedRetention else { return 0 }
        let before = context.now - Int64(retention / .milliseconds(1))
        let files = try await context.ledger.purgeable(before: before, limit: Self.purgeLimit)
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
        for row in try await context.ledger.list(.files(files)) where row.state == from {
            try await context.ledger.move(
                row.file, row.destination, from: from, to: to, at: context.now, .none, detail: "retention")
        }
    }

    /// Sets the gauges from the ledger and the volume.
    func refreshMetrics() async throws -> UnsentSummary {
        let unsent = try await context.ledger.unsent()
        let counts = try await context.ledger.counts()
        let space = try context.fileSystem.space(context.layout.root)
        let metrics = context.metrics
        metrics.unsentFiles.set(Double(unsent.files))
        metrics.unsentBytes.set(Double(unsent.bytes))
        metrics.unsentRows.set(Double(unsent.rows))
        metrics.oldestUnsentSince.set(Double(unsent.oldestDiscoveredMilliseconds ?? 0) / 1_000)
        metrics.diskUnsentFiles.set(Double(unsent.files))
        func files(_ state: ShipmentState) -> Double {
            Double(counts.filter { $0.state == state }.reduce(0) { $0 + $1.files })
        }
        metrics.diskSentFiles.set(files(.uploaded))
        metrics.quarantinedFiles.set(files(.quarantined))
        metrics.newFilesProcessing.set(0)
        metrics.diskTotalBytes.set(Double(space.total))
        let used = Double(space.total - min(space.free, space.total))
        metrics.diskUsedBytes.set(used)
        metrics.diskUsedPercentage.set(used / Double(max(space.total, 1)) * 100)
        var waiting = 0
        for sender in senders { waiting += try await context.ledger.abandonments(sender.name, limit: 1_000).count }
        metrics.replayCurrent.set(Double(waiting))
        metrics.diskReplayRequests.set(Double(waiting))
        return unsent
    }
}
