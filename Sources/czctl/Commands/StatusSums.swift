internal import DiskIO
internal import Parquet
internal import Ship
internal import WAL

extension StatusReport {
    /// The report that a service gives of its own volume.
    /// - Parameter own: what it says of itself; the other half of the service is asked.
    /// - Throws: `CommandFailure.notFound`, `IOError`.
    static func gather(
        layout: VolumeLayout, fileSystem: any FileSystem, clocks: Clocks, own: LiveStatus
    ) async throws -> StatusReport {
        let live = await LiveServices.beside(own, layout)
        return StatusReport(try await .gather(layout: layout, fileSystem: fileSystem, clocks: clocks, live: live))
    }

    /// With a newline at its end.
    func json() throws -> [UInt8] { Array((try Console.json(self) + "\n").utf8) }

    init(_ inputs: StatusInputs) {
        let problems = inputs.problems
        self.init(
            time: HumanText.time(inputs.now), path: inputs.layout.root, volume: inputs.volume.map { "\($0.id)" },
            shipperId: inputs.shipperID, isStopComplete: inputs.isStopComplete,
            state: inputs.live.isEmpty && inputs.silent.isEmpty ? .stopped : problems.isEmpty ? .running : .degraded,
            problems: problems,
            services: inputs.live.map {
                Service(
                    role: $0.role, version: $0.version, pid: $0.pid, uptimeSeconds: $0.uptimeSeconds,
                    readiness: $0.readiness, nextShipInSeconds: $0.nextShipSeconds)
            },
            intake: inputs.collector.map(Intake.init), log: Log(inputs.log, inputs.collector),
            files: inputs.fileCounts(of: nil), unsent: inputs.unsent,
            destinations: inputs.files.destinations.map { Destination($0, inputs.fileCounts(of: $0.name)) },
            disk: Disk(inputs),
            quarantine: inputs.quarantine, abandoned: inputs.abandoned, originals: inputs.originals,
            balance: inputs.balance, compaction: Compaction(inputs.log))
    }
}

extension StatusReport.Disk {
    private static let shortestSpan: Int64 = 3_600_000

    fileprivate init(_ inputs: StatusInputs) {
        var perDay: Double?
        if let growth = inputs.files.growth, growth.milliseconds >= Self.shortestSpan, growth.bytes > 0 {
            // A destination on the volume itself has every file once more.
            perDay = Double(growth.bytes) / Double(growth.milliseconds) * 86_400_000 * (inputs.isShippedHere ? 2 : 1)
        }
        self.init(
            path: inputs.layout.root, totalBytes: inputs.space.total, freeBytes: inputs.space.free,
            usedBytes: inputs.space.total - min(inputs.space.free, inputs.space.total), usedRatio: inputs.usedRatio,
            growthBytesPerDay: perDay.map { Int64(min($0, 1e18)) },
            fullInSeconds: perDay.map { (Double(inputs.space.free) / $0 * 86_400).rounded() })
    }
}

extension StatusReport.Intake {
    fileprivate init(_ live: LiveStatus) {
        self.init(
            samplesReceived: live.samplesReceived, samplesStored: live.samplesStored,
            samplesRejected: live.samplesRejected, samplesFiltered: live.samplesFiltered,
            samplesDeduplicated: live.samplesDeduplicated,
            samplesPerSecond: live.uptimeSeconds > 0 ? Double(live.samplesReceived) / live.uptimeSeconds : 0,
            requestP99Seconds: live.requestP99Seconds, recentSeconds: live.recentSeconds,
            recentSamplesPerSecond: live.recentSamplesPerSecond,
            recentRequestP99Seconds: live.recentRequestP99Seconds, requestLatency: live.requestLatency,
            lastReceivedSecondsAgo: live.lastReceivedSecondsAgo,
            filters: live.filters ?? [])
    }
}

extension StatusReport.Log {
    fileprivate init(_ survey: LogSurvey, _ live: LiveStatus?) {
        for segment in survey.segments {
            segments += 1
            bytes += segment.byteCount
            switch segment.state {
            case .sealed: sealed.add(segment)
            case .active: active.add(segment)
            case .committed: committed.add(segment)
            case .kept: kept.add(segment)
            }
        }
        rows = survey.rows
        oldestAt = survey.segments.filter(\.isInLog).compactMap(\.createdAt).min().map(HumanText.time)
        newestVerdict = survey.newest?.verdict.map { "\($0)" }
        fsyncP99Seconds = live?.fsyncP99Seconds
        recentFsyncP99Seconds = live?.recentFsyncP99Seconds
        compacting = live?.compacting
        compactingPercent = live?.compactingPercent
    }
}

extension StatusReport.SegmentSum {
    fileprivate mutating func add(_ segment: LogSurvey.Segment) {
        segments += 1
        bytes += segment.byteCount
        rows &+= segment.rows ?? 0
    }
}

extension StatusReport.Destination {
    fileprivate init(_ summary: DestinationSummary, _ files: StatusReport.Files) {
        self.init(
            name: summary.name, files: files, uploadedFiles: summary.filesUploaded,
            uploadedBytes: summary.bytesUploaded, uploadedRows: summary.rowsUploaded,
            lastSuccessAt: summary.lastSuccessMilliseconds.map(HumanText.time),
            lastError: summary.lastError.map {
                StatusReport.Failure(at: HumanText.time($0.atMilliseconds), code: $0.code, text: $0.text)
            })
    }
}

extension StatusReport.Compaction {
    fileprivate init(_ log: LogSurvey) {
        for manifest in log.committed + log.done {
            manifests += 1
            requests += manifest.requests
            logRows += manifest.rows["log"] ?? 0
            writtenRows += manifest.rows["written"] ?? 0
            deduplicatedRows += manifest.rows["deduplicated"] ?? 0
            conflictingRows += manifest.rows["conflicts"] ?? 0
            quarantinedRows += manifest.rows["quarantined"] ?? 0
            rejectedSamples += manifest.rejectedSamples
            filteredSamples += manifest.filteredSamples
        }
    }
}

extension StatusInputs {
    /// What no row knows yet and `destination` is to have; nil: any of them. A shipper that runs says who takes which
    /// kinds. Without one the rows do: a kind that nobody has rows of may be for everybody.
    private func undiscovered(for destination: String?) -> [FileSurvey.Undiscovered] {
        guard let destination else { return files.undiscovered }
        return files.undiscovered.filter { file in
            let kind = String(file.name.prefix { $0 != "_" })
            if let taken = shipper?.takenKinds { return taken[destination]?.contains(kind) ?? false }
            let isKnown = files.kinds.values.contains { $0.contains(kind) }
            return !isKnown || files.kinds[destination]?.contains(kind) ?? false
        }
    }

    /// Files by state at one destination, or at all of them together.
    fileprivate func fileCounts(of destination: String?) -> StatusReport.Files {
        var files = StatusReport.Files()
        files.ready = Int64(undiscovered(for: destination).count)
        for count in self.files.counts where destination == nil || count.destination == destination {
            switch count.state {
            case .discovered, .allocated: files.ready += count.files
            case .uploading: files.uploading += count.files
            case .failed: files.failed += count.files
            case .uploaded, .purging: files.uploaded += count.files
            case .purged:
                files.uploaded += count.files
                files.purged += count.files
            case .abandoned: files.abandoned += count.files
            case .quarantined: files.quarantined += count.files
            }
        }
        return files
    }

    fileprivate var unsent: StatusReport.Unsent {
        let waiting = files.undiscovered
        let oldest = [files.unsent.oldestDiscoveredMilliseconds, waiting.map(\.since).min()].compactMap(\.self).min()
        return StatusReport.Unsent(
            files: files.unsent.files + Int64(waiting.count),
            bytes: files.unsent.bytes + waiting.reduce(0) { $0 + Int64(clamping: $1.byteCount) },
            rows: files.unsent.rows &+ undiscoveredRows, oldestAt: oldest.map(HumanText.time))
    }

    private var undiscoveredRows: Int64 { Self.rows(files.undiscovered) }

    private static func rows(_ files: [FileSurvey.Undiscovered]) -> Int64 {
        files.reduce(0) { $0 &+ Int64($1.rows ?? 0) }
    }

    /// Samples, one line a destination: each is to have every one once.
    fileprivate var balance: [StatusReport.Balance] {
        var names: [String?] = Set(files.counts.map(\.destination)).sorted()
        if names.isEmpty { names = [nil] }
        return names.map { name in
            func rows(_ states: ShipmentState...) -> Int64 {
                files.counts.filter { $0.destination == name && states.contains($0.state) }.reduce(0) { $0 + $1.rows }
            }
            let inLog = Int64(clamping: log.rows)
            let waiting = undiscovered(for: name).filter { ReferenceID($0.name)?.kind.isOfSamples ?? false }
            let inOutbox = rows(.discovered, .allocated, .uploading, .failed) &+ Self.rows(waiting)
            let uploaded = rows(.uploaded, .purging, .purged)
            let (abandoned, quarantined) = (rows(.abandoned), rows(.quarantined))
            return StatusReport.Balance(
                destination: name, inLog: inLog, inOutbox: inOutbox, uploaded: uploaded, abandoned: abandoned,
                quarantined: quarantined, total: inLog &+ inOutbox &+ uploaded &+ abandoned &+ quarantined)
        }
    }
}
