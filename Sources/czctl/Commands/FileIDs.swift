internal import ArgumentParser
internal import DiskIO
internal import Ship

/// Ids of files that a user named.
enum FileIDs {
    /// What a shell offers: the ids of the volume that is meant without --data.
    static let completion = CompletionKind.shellCommand("czctl files list -o name 2>/dev/null")

    /// - Throws: `.notFound` naming every id that neither the ledger nor `outbox/` has, and then nothing was changed.
    static func require(
        _ ids: [String], _ layout: VolumeLayout, _ fileSystem: any FileSystem, to act: String
    ) async throws {
        guard !ids.isEmpty else { return }
        let states = try await LedgerCopy.read(layout, fileSystem) { ledger throws(ShipError) in
            try await ledger.states(of: ids)
        }
        var missing: [String] = []
        for (index, id) in ids.enumerated() where states?[index].isEmpty ?? true {
            // A name with a slash is no id: it must not lead out of the outbox.
            let isWaiting = id.contains("/") ? false : try fileSystem.exists("\(layout.outbox)/\(id)")
            if !isWaiting { missing.append(id) }
        }
        guard missing.isEmpty else {
            let names = missing.map { HumanText.line($0, limit: 200) }.joined(separator: ", ")
            throw CommandFailure(.notFound, "cannot \(act) \(names): not found", try: "czctl files list -o name")
        }
    }

    /// - Throws: `.notFound` when the ledger has no row of `destination`: a slip of the pen is not to read as done.
    static func require(
        _ destination: String?, _ layout: VolumeLayout, _ fileSystem: any FileSystem, to act: String
    ) async throws {
        guard let destination else { return }
        let known = try await LedgerCopy.read(layout, fileSystem) { ledger throws(ShipError) in
            try await ledger.kinds()
        }
        if known?[destination] != nil { return }
        let name = HumanText.line(destination, limit: 200)
        throw CommandFailure(.notFound, "cannot \(act) files of \(name): no such destination", try: "czctl status")
    }
}
