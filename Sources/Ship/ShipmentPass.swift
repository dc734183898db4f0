internal import DiskIO
internal import Logging
internal import Metrics
internal import Parquet

/// One cycle: take in what is new, give every destination what it lacks, put files where their rows say they belong.
struct ShipmentPass: Sendable {
    let context: ShipContext
    let senders: [any Sender]

    var outbox: Outbox { Outbox(layout: context.layout, fileSystem: context.fileSystem) }

    /// Names handled between two looks at the ledger.
    private static let nameChunk = 500

    func run(_ cycle: Cycle) async -> PassReport {
        var report = PassReport()
        do { try await takeIn(&report) } catch {
            context.metrics.newFilesErrors.count(.filesWalk)
            report.note("cannot take in the outbox: \(error)")
        }
        await withTaskGroup(of: PassReport.self) { group in
            for sender in senders { group.addTask { await deliver(sender, cycle) } }
            for await part in group { report.add(part) }
        }
        do { report.purged = try await purge() } catch {
            context.metrics.diskCleanupFailures.count(.storageCleanup)
            report.note("cannot remove delivered files: \(error)")
        }
        do { report.unsent = try await refreshMetrics() } catch {
            context.metrics.diskErrors.count(.getDiskUsage)
            report.note("cannot measure: \(error)")
        }
        return report
    }

    // MARK: Files and their rows

    /// Makes rows for new files; moves on those that are done, also names that a power cut brought back.
    private func takeIn(_ report: inout PassReport) async throws {
        let (ids, strangers) = try outbox.discover()
        report.ignoredNames = Array(strangers.prefix(PassReport.listLimit))
        if !strangers.isEmpty {
            context.logger.warning(
                "names in the outbox that are not files of ours are left alone",
                metadata: ["count": "\(strangers.count)", "first": "\(strangers[0])"])
        }
        context.metrics.newFilesProcessing.set(Double(ids.count))
        for start in stride(from: 0, to: ids.count, by: Self.nameChunk) {
            let chunk = ids[start..<min(start + Self.nameChunk, ids.count)]
            let states = try await context.ledger.states(of: chunk.map(\.description))
            for sender in senders {
                let new = zip(chunk, states).filter { $0.1[sender.name] == nil && !$0.1.values.contains(.quarantined) }
                let files = try new.compactMap { pair in try outbox.describe(pair.0, in: context.layout.outbox) }
                report.discovered += try await context.ledger.insert(
                    files, sender.name, as: .discovered, at: context.now, detail: "found in outbox")
            }
            try await settle(chunk.map(\.description))
        }
    }

    /// Takes in what the ledger does not know at all: after it was lost, the directories are the truth.
    func adopt() async throws {
        let homes: [(String, ShipmentState)] = [
            (context.layout.uploaded, .uploaded), (context.layout.abandoned, .abandoned),
            (context.layout.quarantine, .quarantined),
        ]
        for (folder, state) in homes {
            let ids = try context.fileSystem.list(folder).compactMap { ReferenceID($0) }
            let states = try await context.ledger.states(of: ids.map(\.description))
            let unknown = zip(ids, states).filter { $0.1.isEmpty }.map(\.0)
            let files = try unknown.compactMap { id in try outbox.describe(id, in: folder) }
            for sender in senders {
                _ = try await context.ledger.insert(
                    files, sender.name, as: state, at: context.now, detail: "found in \(folder)")
            }
            guard state == .uploaded else { continue }
            // An unlink that a power cut undid.
            let purged = zip(ids, states).filter { !$0.1.isEmpty && $0.1.values.allSatisfy { $0 == .purged } }
            for (id, _) in purged { try context.fileSystem.remove("\(folder)/\(id)") }
        }
    }

    /// Moves files out of `outbox/` whose rows say so (I8).
    private func settle(_ files: [String]) async throws {
        let states = try await context.ledger.states(of: files)
        var moves: [RestingPlace: [String]] = [:]
        for (file, states) in zip(files, states) {
            guard let place = RestingPlace(states, destinations: senders.map(\.name)) else { continue }
            moves[place, default: []].append(file)
        }
        for (place, files) in moves {
            try outbox.move(files, from: context.layout.outbox, to: place.path(in: context.layout))
        }
    }

    // MARK: One destination

    private func deliver(_ sender: any Sender, _ cycle: Cycle) async -> PassReport {
        var report = PassReport()
        do {
            let due = try await context.ledger.due(sender.name, at: context.now, ignoringBackOff: cycle.ignoresBackOff)
            for start in stride(from: 0, to: due.count, by: sender.chunk) {
                guard context.mayBegin(cycle.start) else { break }
                let names = Array(due[start..<min(start + sender.chunk, due.count)])
                let rows = try await context.ledger.list(.files(names)).filter {
                    $0.destination == sender.name && $0.state.isUnsent
                }
                let prepared = try await sender.prepare(rows, cycle)
                context.metrics.requestFiles.add(prepared.ready.count)
                report.add(await upload(prepared.ready, to: sender, cycle))
                try await settle(names)
                if let reason = prepared.stopReason {
                    context.metrics.runFailures.count(reason.code)
                    report.failed += rows.count - prepared.ready.count
                    report.note("\(sender.name): \(reason)")
                    break
                }
                context.metrics.requestSuccesses.add()
            }
            try await sender.finish(cycle)
        } catch {
            context.metrics.runFailures.count(.httpUnknown)
            report.note("\(sender.name): \(error)")
        }
        return report
    }

    /// Sends rows, `uploadWidth` at a time, each again and again until it is done or the retries or the cycle end.
    private func upload(_ rows: [Shipment], to sender: any Sender, _ cycle: Cycle) async -> PassReport {
        var report = PassReport()
        var queue = UploadQueue(rows)
        await withTaskGroup(of: UploadAttempt.End.self) { group in
            var running = 0
            while true {
                let mayBegin = context.mayBegin(cycle.start)
                while mayBegin, running < context.options.uploadWidth,
                    let entry = queue.next(at: context.clocks.uptime())
                {
                    running += 1
                    let attempt = UploadAttempt(context: context, sender: sender, outbox: outbox)
                    group.addTask { await attempt.run(entry) }
                }
                if running > 0, let end = await group.next() {
                    running -= 1
                    await absorb(end, &report, &queue, sender)
                    continue
                }
                guard mayBegin, let readyAt = queue.nextReadyAt,
                    await context.pause(readyAt - context.clocks.uptime(), cycle.start)
                else { return }
            }
        }
        for entry in queue.unfinished { await giveUp(entry, dropsURL: false, &report, sender) }
        return report
    }

    private func absorb(
        _ end: UploadAttempt.End, _ report: inout PassReport, _ queue: inout UploadQueue, _ sender: any Sender
    ) async {
        switch end {
        case .uploaded(let bytes):
            report.uploaded += 1
            report.uploadedBytes += bytes
            context.metrics.uploadedFiles.add()
            context.metrics.uploadedBytes.add(Int(bytes))
            context.metrics.lastSuccess[sender.name]?.set(Double(context.now) / 1_000)
        case .again(var entry):
            context.metrics.uploadErrors.count(entry.failure?.code ?? .httpUnknown)
            entry.failures += 1
            guard entry.failures <= context.options.maxRetries else {
                return await giveUp(entry, dropsURL: false, &report, sender)
            }
            if entry.failures == 1 { await sayOnce(entry, &report, sender) }
            let wait =
                entry.asked
                ?? context.retryPolicy.delay(after: entry.failures, fraction: context.jitter.fraction())
            entry.readyAt = context.clocks.uptime() + wait
            queue.wait(entry)
        case .failed(let entry, let dropsURL):
            context.metrics.uploadErrors.count(entry.failure?.code ?? .httpUnknown)
            await giveUp(entry, dropsURL: dropsURL, &report, sender)
        case .damaged(let file, let failure):
            context.metrics.uploadErrors.count(failure.code)
            report.quarantined += 1
            report.note("\(file) is quarantined: \(failure.text)")
        case .unrecorded(let text):
            context.metrics.markUploadedErrors.count(.fileCreate)
            report.failed += 1
            report.note(text)
        case .left: break
        }
    }

    /// The first failure of a file in this cycle is said at once: its retries may take minutes, and an operator who
    /// asks meanwhile should see why nothing moves.
    private func sayOnce(_ entry: UploadQueue.Entry, _ report: inout PassReport, _ sender: any Sender) async {
        guard let failure = entry.failure else { return }
        context.report(failure, "will try again to deliver \(entry.row.file)", destination: sender.name)
        do throws(ShipError) {
            try await context.ledger.note(failure, of: sender.name, at: context.now)
        } catch {
            report.note("\(error)")
        }
    }

    /// The row waits out its back-off, in the ledger.
    private func giveUp(
        _ entry: UploadQueue.Entry, dropsURL: Bool, _ report: inout PassReport, _ sender: any Sender
    ) async {
        guard let failure = entry.failure else { return }
        let wait = max(
            entry.asked ?? .zero,
            RetryPolicy.betweenCycles.delay(after: entry.row.failures + 1, fraction: context.jitter.fraction()))
        report.failed += 1
        report.note("\(entry.row.file) at \(sender.name): \(failure)")
        context.report(failure, "cannot deliver \(entry.row.file)", destination: sender.name)
        do throws(ShipError) {
            try await context.ledger.move(
                entry.row.file, sender.name, from: entry.row.state, to: .failed, at: context.now,
                .failure(
                    failure, notBeforeMilliseconds: context.now + Int64(wait / .milliseconds(1)), dropsURL: dropsURL),
                detail: failure.description)
        } catch {
            report.note("\(error)")
        }
    }
}

/// Where a file that needs no more work belongs.
package enum RestingPlace: Hashable {
    case uploaded
    case abandoned
    case quarantine

    /// nil: it is still needed in `outbox/`. Rows of destinations that are not configured any more do not count.
    package init?(_ states: [String: ShipmentState], destinations: [String]) {
        let found = destinations.map { states[$0] }
        if found.contains(.quarantined) {
            self = .quarantine
        } else if found.allSatisfy({ $0.map { $0.isDelivered || $0 == .abandoned } ?? false }) {
            self = found.contains(.abandoned) ? .abandoned : .uploaded
        } else {
            return nil
        }
    }

    func path(in layout: VolumeLayout) -> String {
        switch self {
        case .uploaded: layout.uploaded
        case .abandoned: layout.abandoned
        case .quarantine: layout.quarantine
        }
    }
}
