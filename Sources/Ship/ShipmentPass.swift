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
            for sender in senders {
                group.addTask {
                    var delivery = Delivery(self, sender, cycle)
                    return await delivery.run()
                }
            }
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
        let untaken = ids.filter { takers(of: $0.kind).isEmpty }
        if !untaken.isEmpty {
            context.logger.warning(
                "files in the outbox that no destination takes stay until one does",
                metadata: ["count": "\(untaken.count)", "first": "\(untaken[0])"])
        }
        context.metrics.newFilesProcessing.set(Double(ids.count))
        for start in stride(from: 0, to: ids.count, by: Self.nameChunk) {
            let chunk = ids[start..<min(start + Self.nameChunk, ids.count)]
            let states = try await context.ledger.states(of: chunk.map(\.description))
            for destination in context.options.destinations {
                let new = zip(chunk, states).filter { id, states in
                    destination.takes(id.kind) && states[destination.name] == nil
                        && !states.values.contains(.quarantined)
                }
                let files = try new.compactMap { pair in try outbox.describe(pair.0, in: context.layout.outbox) }
                report.discovered += try await context.ledger.insert(
                    files, destination.name, as: .discovered, at: context.now, detail: "found in outbox")
            }
            try await settle(chunk.map(\.description))
        }
    }

    /// Takes in what the ledger does not know at all: after it was lost, the directories are the truth.
    func adopt() async throws {
        try await failCutAttempts()
        try CompressedCopy.sweep(context.layout, in: context.fileSystem)
        let homes: [(String, ShipmentState)] = [
            (context.layout.uploaded, .uploaded), (context.layout.abandoned, .abandoned),
            (context.layout.quarantine, .quarantined),
        ]
        for (folder, state) in homes {
            let ids = try context.fileSystem.list(folder).compactMap { ReferenceID($0) }
            let states = try await context.ledger.states(of: ids.map(\.description))
            let unknown = zip(ids, states).filter { $0.1.isEmpty }.map(\.0)
            for destination in context.options.destinations {
                let files = try unknown.filter { destination.takes($0.kind) }.compactMap { id in
                    try outbox.describe(id, in: folder)
                }
                _ = try await context.ledger.insert(
                    files, destination.name, as: state, at: context.now, detail: "found in \(folder)")
            }
            guard state == .uploaded else { continue }
            // An unlink that a power cut undid.
            let purged = zip(ids, states).filter { !$0.1.isEmpty && $0.1.values.allSatisfy { $0 == .purged } }
            for (id, _) in purged { try context.fileSystem.remove("\(folder)/\(id)") }
        }
    }

    /// Attempts that another process was killed in, at destinations that this one does not send to: nobody is at them,
    /// since one shipper holds the volume, and from `uploading` no operator can put them back or give them up.
    private func failCutAttempts() async throws {
        let configured = senders.map(\.name)
        let cut = try await context.ledger.list(.states([.uploading])).filter { !configured.contains($0.destination) }
        let moves = cut.map { LedgerMove($0, to: .failed, .none, "cut; its destination is not configured any more") }
        _ = try await context.ledger.apply(moves, at: context.now)
    }

    /// Moves files out of `outbox/` whose rows say so (I8).
    private func settle(_ files: [String]) async throws {
        let states = try await context.ledger.states(of: files)
        var moves: [RestingPlace: [String]] = [:]
        for (file, states) in zip(files, states) {
            let destinations = ReferenceID(file).map { takers(of: $0.kind) } ?? []
            guard let place = RestingPlace(states, destinations: destinations) else { continue }
            moves[place, default: []].append(file)
        }
        for (place, files) in moves {
            try outbox.move(files, from: context.layout.outbox, to: place.path(in: context.layout))
        }
    }

    /// Names of the destinations that are to have files of this kind.
    private func takers(of kind: ReferenceID.Kind) -> [String] {
        context.options.destinations.filter { $0.takes(kind) }.map(\.name)
    }

    /// Files in `outbox/` that no destination takes.
    func untaken() throws(IOError) -> [FoundFile] {
        var files: [FoundFile] = []
        for id in try outbox.discover().ids where takers(of: id.kind).isEmpty {
            if let file = try outbox.describe(id, in: context.layout.outbox) { files.append(file) }
        }
        return files
    }

    /// `settle`; what went wrong as a line: the next cycle does it again.
    func settleSaying(_ files: [String]) async -> String? {
        do {
            try await settle(files)
            return nil
        } catch {
            context.metrics.newFilesErrors.count(.filesWalk)
            return "cannot move delivered files: \(error)"
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
        } else if destinations.isEmpty, !states.values.contains(where: \.isDelivered) {
            return nil  // a destination that takes it may come back
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
