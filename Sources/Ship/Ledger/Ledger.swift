package import DiskIO

/// What became of every file, at every destination: `ledger.sqlite` (docs/formats/ledger.md).
///
/// Safe for several processes: each move is one transaction that starts from the state it expects, and fails with
/// `.movedMeanwhile` when the row is in another one.
package actor Ledger {
    let connection: Connection

    /// Moves kept for each file and destination; older ones are forgotten.
    static let historyLimit: Int64 = 32

    private init(_ connection: consuming Connection) { self.connection = connection }

    /// Opens the shipper's ledger, making it when there is none. One that is damaged, or no ledger at all, is moved to
    /// `quarantine/` and a new one made; its rows come back from the directories (`ShipmentPass.adopt`).
    /// - Returns: the ledger, and a sentence when a file was set aside.
    package static func open(
        _ layout: VolumeLayout, _ fileSystem: any FileSystem, wallMilliseconds: Int64
    ) throws(ShipError) -> (ledger: Ledger, setAside: String?) {
        var cause = ""
        for _ in 0..<looks {
            do throws(ShipError) {
                return (Ledger(try openOrCreate(layout, fileSystem)), nil)
            } catch {
                guard error.reason == .damagedLedger else { throw error }
                cause = error.cause
            }
        }
        let kept = try setAside(layout, fileSystem, wallMilliseconds: wallMilliseconds)
        let text = "the ledger was damaged (\(cause)) and is kept as \(kept); rebuilt from the directories"
        return (Ledger(try openOrCreate(layout, fileSystem)), text)
    }

    /// SQLite takes a page of the schema that the medium does not give for damage: that passes, and damage stays.
    private static let looks = 3

    /// `PRAGMA synchronous`: 3 = EXTRA, without which a power cut can bring a journal back and undo a commit.
    package func synchronousMode() throws(ShipError) -> Int64 { try connection.integer("PRAGMA synchronous") }

    /// Opens the ledger of a stopped or running shipper for an operator's moves.
    /// - Throws: `.notFound` when there is none; `.damagedLedger`: only the shipper sets it aside.
    package static func openExisting(
        _ layout: VolumeLayout, _ fileSystem: any FileSystem
    ) throws(ShipError) -> Ledger {
        let act = "open the ledger \(layout.ledger)"
        let found: Bool
        do throws(IOError) { found = try fileSystem.exists(layout.ledger) } catch { throw ShipError(error, act) }
        guard found else {
            throw ShipError(.notFound, act, cause: "there is none", advice: "start the shipper once")
        }
        let connection = try Connection(layout.ledger, .readWrite)
        try Schema.prepare(connection, path: layout.ledger)
        return Ledger(connection)
    }

    /// A private copy in memory, for reading: `czctl status` beside a live, stopped or killed shipper.
    ///
    /// Beside a live shipper it is made under one shared lock. A killed one may have left a hot journal, which only a
    /// writer may roll back: then both files are copied to `temporaryDirectory` (existing, empty, the caller's to
    /// remove) and rolled back there. Never `immutable`: that reads half-written pages.
    /// Not for the shipper's own process, where closing the copied file would drop SQLite's locks: ask its ledger
    /// there.
    /// - Returns: nil when there is no ledger.
    package static func snapshot(
        _ layout: VolumeLayout, _ fileSystem: any FileSystem, temporaryDirectory: String
    ) throws(ShipError) -> Ledger? {
        let act = "read the ledger \(layout.ledger)"
        do throws(IOError) {
            // A file of no bytes is a shipper killed between creating the ledger and its first transaction.
            guard let status = try fileSystem.status(layout.ledger), status.byteCount > 0 else { return nil }
        } catch {
            throw ShipError(error, act)
        }
        let memory = try Connection("", .memory)
        do throws(ShipError) {
            try memory.copy(from: try Connection(layout.ledger, .readOnly))
        } catch {
            guard Connection.needsRollback(error) else { throw error }
            let copy = temporaryDirectory + "/ledger.sqlite"
            do throws(IOError) {
                try copyFile(layout.ledger, to: copy, fileSystem)
                try copyFile(layout.ledger + "-journal", to: copy + "-journal", fileSystem)
            } catch {
                throw ShipError(error, act)
            }
            try memory.copy(from: try Connection(copy, .readWrite))
        }
        try Schema.prepare(memory, path: layout.ledger)
        return Ledger(memory)
    }

    private static func openOrCreate(
        _ layout: VolumeLayout, _ fileSystem: any FileSystem
    ) throws(ShipError) -> Connection {
        do throws(IOError) {
            if try !fileSystem.exists(layout.ledger) {
                // A journal without its ledger belongs to a lost one: rolled into a new file it would be garbage.
                let journal = layout.ledger + "-journal"
                if try fileSystem.exists(journal) { try fileSystem.remove(journal) }
                // SQLite would make it readable by others; presigned URLs are secrets (mode 0600).
                try File(layout.ledger, .create, in: fileSystem).seal()
                try fileSystem.syncDirectory(layout.root)
            }
        } catch {
            throw ShipError(error, "make the ledger \(layout.ledger)")
        }
        let connection = try Connection(layout.ledger, .readWrite)
        try Schema.prepare(connection, path: layout.ledger)
        return connection
    }

    /// Moves the ledger and its journal to `quarantine/`. The ledger goes first: a journal left alone is removed by the
    /// next start, a ledger left alone would be opened without its roll back.
    private static func setAside(
        _ layout: VolumeLayout, _ fileSystem: any FileSystem, wallMilliseconds: Int64
    ) throws(ShipError) -> String {
        let kept = "\(layout.quarantine)/ledger-\(wallMilliseconds).sqlite"
        do throws(IOError) {
            try fileSystem.makeDirectory(layout.quarantine)
            try fileSystem.renameExclusively(layout.ledger, to: kept)
            if try fileSystem.exists(layout.ledger + "-journal") {
                try fileSystem.renameExclusively(layout.ledger + "-journal", to: kept + "-journal")
            }
            try fileSystem.syncDirectory(layout.quarantine)
            try fileSystem.syncDirectory(layout.root)
        } catch {
            throw ShipError(error, "set the damaged ledger aside")
        }
        return kept
    }

    private static func copyFile(_ from: String, to: String, _ fileSystem: any FileSystem) throws(IOError) {
        let source = try File(from, .read, in: fileSystem)
        let target = try File(to, .create, in: fileSystem)
        try source.forEachChunk { (bytes, offset) throws(IOError) in try target.write(bytes, at: offset) }
    }
}
