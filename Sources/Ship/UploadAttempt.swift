internal import DiskIO
internal import Logging
internal import Parquet

/// One attempt to deliver one file: checked against its name (I8), then sent. The row says `uploading` before, and the
/// outcome is recorded by `Delivery` after.
struct UploadAttempt: Sendable {
    enum End: Sendable {
        case uploaded(UploadQueue.Entry, Receipt, sha256: String)
        /// To be tried again in this cycle.
        case again(UploadQueue.Entry)
        case failed(UploadQueue.Entry, dropsURL: Bool)
        /// The destination takes nothing now.
        case refused(UploadQueue.Entry)
        case damaged(file: String, ShipFailure)
        /// The ledger did not take the outcome: the next start sends the same bytes again.
        case unrecorded(String)
        /// Nothing to say: stopped, or another process moved the row.
        case left
    }

    let context: ShipContext
    let sender: any Sender
    let outbox: Outbox

    func run(_ entry: UploadQueue.Entry) async -> End {
        var entry = entry
        do {
            return try await attempt(&entry)
        } catch let error as IOError {
            entry.failure = ShipFailure(.fileRead, "\(error)")
            return .again(entry)
        } catch let error as ShipError where error.reason == .movedMeanwhile {
            return .left
        } catch {
            return .unrecorded("\(entry.row.file) at \(sender.name): \(error)")
        }
    }

    private func attempt(_ entry: inout UploadQueue.Entry) async throws -> End {
        let file = entry.row.file
        guard let path = try outbox.locate(file) else {
            entry.failure = ShipFailure(
                .fileRead, "\(file) is in none of the volume's directories; restore it or abandon it")
            return .failed(entry, dropsURL: false)
        }
        let witness = try FileWitness.read(path, in: context.fileSystem)
        guard let id = ReferenceID(file), witness.sha256.hasPrefix(id.hash) else {
            return try await quarantine(
                file, path, ShipFailure(.fileRead, "its SHA-256 is \(witness.sha256), not what its name says"))
        }
        switch try await send(entry.row, path, witness) {
        case .uploaded(let receipt): return .uploaded(entry, receipt, sha256: witness.sha256)
        case .again(let failure, let after):
            (entry.failure, entry.asked) = (failure, after)
            return .again(entry)
        case .failed(let failure, let dropsURL):
            entry.failure = failure
            return .failed(entry, dropsURL: dropsURL)
        // The sender tries a new URL itself; one that is dead again is a failure.
        case .expired(let failure):
            entry.failure = failure
            return .failed(entry, dropsURL: true)
        case .refused(let failure):
            entry.failure = failure
            return .refused(entry)
        case .damaged(let failure): return try await quarantine(file, path, failure)
        case .interrupted: return .left
        }
    }

    private func send(_ row: Shipment, _ path: String, _ witness: FileWitness) async throws -> UploadOutcome {
        guard let compression = sender.compression else { return try await sender.send(row, path: path, witness) }
        let copy: CompressedCopy
        do {
            copy = try CompressedCopy(
                of: path, witness, compression, for: sender.name, file: row.file, layout: context.layout,
                in: context.fileSystem)
        } catch let failure as ShipFailure {
            return .failed(failure, dropsURL: false)
        }
        let outcome: UploadOutcome
        do { outcome = try await sender.send(row, path: copy.path, copy.witness) } catch {
            // The ledger's failure is what matters; the next start sweeps the copy.
            try? copy.remove(context.fileSystem)
            throw error
        }
        do throws(IOError) { try copy.remove(context.fileSystem) } catch {
            // What became of the upload matters more; the next copy replaces this one, or the next start sweeps it.
            context.logger.warning("cannot remove a compressed copy", metadata: ["error": "\(error)"])
        }
        // The copy's bytes, not the file's: it is made again.
        if case .damaged(let failure) = outcome { return .again(failure, after: nil) }
        return outcome
    }

    /// First the rows, then the file: a crash between them leaves a name in `outbox/` that its rows send on.
    private func quarantine(_ file: String, _ path: String, _ failure: ShipFailure) async throws -> End {
        context.report(failure, "\(file) is damaged and goes to quarantine", destination: sender.name)
        try await context.ledger.quarantine(file, failure, at: context.now)
        try outbox.move([file], from: PosixFileSystem.parent(of: path), to: context.layout.quarantine)
        return .damaged(file: file, failure)
    }
}
