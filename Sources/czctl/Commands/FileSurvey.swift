internal import DiskIO
internal import Parquet
internal import Ship
internal import WAL

/// Files on their way, read from the directories and a private copy of the ledger.
struct FileSurvey: Sendable {
    /// A complete file that no ledger row knows yet.
    struct Undiscovered: Sendable {
        let name: String
        let byteCount: UInt64
        /// nil when its footer cannot be read.
        let rows: Int?
        let since: Int64
    }

    private(set) var undiscovered: [Undiscovered] = []
    /// Names in `outbox/` that are none of ours.
    private(set) var strangers = 0
    private(set) var counts: [StateCount] = []
    private(set) var destinations: [DestinationSummary] = []
    /// Kinds of the files that each destination has rows of.
    private(set) var kinds: [String: Set<String>] = [:]
    /// At the destinations that count.
    private(set) var unsent = UnsentSummary(files: 0, bytes: 0, rows: 0)
    /// Bytes of the last day's files, and the milliseconds they came in.
    private(set) var growth: (bytes: Int64, milliseconds: Int64)?
    /// Milliseconds since 1970 of the last move into quarantine that the ledger knows.
    private(set) var lastQuarantined: Int64?
    /// Why the ledger could not be read; then every file in `outbox/` counts as undiscovered.
    private(set) var ledgerError: ShipError?

    /// - Parameters:
    ///   - log: read before this; its manifests tell rows of files that the ledger does not have yet.
    ///   - configured: destinations whose unsent files count; nil: all that the ledger knows.
    init(
        _ layout: VolumeLayout, in fileSystem: any FileSystem, log: LogSurvey, configured: [String]? = nil
    ) async throws {
        // The outbox before the ledger: whatever leaves the outbox has its row by then.
        let names = try Self.list(layout.outbox, fileSystem)
        let ids = names.filter { ReferenceID($0) != nil }
        strangers = names.count - ids.count
        // Published by name only after their commit: until then they are in staging.
        let committed = log.committed.flatMap(\.files).filter { !ids.contains($0.name) }
        let known = try await readLedger(
            layout, fileSystem, names: ids + committed.map(\.name), configured)
        var rows: [String: Int] = [:]
        for file in (log.committed + log.done).flatMap(\.files) { rows[file.name] = file.rows }
        for name in ids where !known.contains(name) {
            try add(name, in: layout.outbox, rows: rows[name], fileSystem)
        }
        for file in committed where !known.contains(file.name) {
            try add(file.name, in: layout.staging, rows: file.rows, fileSystem)
        }
    }

    private static func list(_ directory: String, _ fileSystem: any FileSystem) throws(IOError) -> [String] {
        try fileSystem.exists(directory) ? try fileSystem.list(directory) : []
    }

    private mutating func add(_ name: String, in folder: String, rows: Int?, _ fileSystem: any FileSystem) throws {
        let path = "\(folder)/\(name)"
        guard let status = try fileSystem.status(path) else { return }
        undiscovered.append(
            Undiscovered(
                name: name, byteCount: status.byteCount, rows: rows ?? Self.footerRows(path, fileSystem),
                since: status.modifiedMilliseconds))
    }

    /// nil when it cannot be read: whether the file is damaged is the shipper's to find out.
    private static func footerRows(_ path: String, _ fileSystem: any FileSystem) -> Int? {
        try? ParquetFile(source: OpenedFile(path, in: fileSystem)).metadata.rowCount
    }

    /// Reads the sums; returns those of `names` that have a row.
    private mutating func readLedger(
        _ layout: VolumeLayout, _ fileSystem: any FileSystem, names: [String], _ configured: [String]?
    ) async throws -> Set<String> {
        do {
            let found = try await LedgerCopy.read(layout, fileSystem) { ledger throws(ShipError) in
                Sums(
                    counts: try await ledger.counts(), destinations: try await ledger.destinations(),
                    unsent: try await ledger.unsent(at: configured),
                    quarantined: try await ledger.list(.states([.quarantined])),
                    states: try await ledger.states(of: names), kinds: try await ledger.kinds(),
                    growth: try await ledger.growth())
            }
            guard let found else { return [] }
            (counts, destinations, unsent) = (found.counts, found.destinations, found.unsent)
            (kinds, growth) = (found.kinds, found.growth)
            lastQuarantined = found.quarantined.map(\.changedMilliseconds).max()
            return Set(zip(names, found.states).filter { !$0.1.isEmpty }.map(\.0))
        } catch let error as ShipError {
            ledgerError = error
            return []
        }
    }

    private struct Sums: Sendable {
        let counts: [StateCount]
        let destinations: [DestinationSummary]
        let unsent: UnsentSummary
        let quarantined: [Shipment]
        /// Of each name, by destination.
        let states: [[String: ShipmentState]]
        let kinds: [String: Set<String>]
        let growth: (bytes: Int64, milliseconds: Int64)?
    }
}

/// A file on disk, as the Parquet reader wants it.
final class OpenedFile: ByteSource {
    private let file: File
    let count: Int

    init(_ path: String, in fileSystem: any FileSystem) throws(IOError) {
        file = try File(path, .read, in: fileSystem)
        count = Int(clamping: try file.size())
    }

    func read(at offset: Int, count: Int) throws -> [UInt8] { try file.read(at: UInt64(offset), count: count) }
}
