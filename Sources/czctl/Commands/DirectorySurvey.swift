internal import DiskIO
internal import Parquet
internal import WAL

extension VolumeLayout {
    /// - Throws: `.notFound` where other things stand than ours: what is said of them would sound as if all were well.
    ///   An empty directory is a volume that was never started.
    func refuseStrangers() throws {
        let names = try PosixFileSystem().list(root).filter { !$0.hasPrefix(".") && $0 != "lost+found" }
        guard names.isEmpty || names.contains(where: isOurs) else {
            throw CommandFailure(
                .notFound, "cannot read the volume \(root): it is none, there is neither VOLUME nor wal/ nor outbox/",
                try: "czctl \(CzCtl.command) --data DIR, or --config FILE")
        }
    }

    /// Whether something of that name, directly below the root, is a volume's, also of one that lost its `VOLUME`.
    func isOurs(_ name: String) -> Bool {
        let ours: Set = [
            volume, wal, outbox, uploaded, abandoned, quarantine, shipped, ledger, collectorLock, shipperLock,
        ]
        return ours.contains("\(root)/\(name)") || DirectorySurvey.isOriginals(name)
    }
}

/// Files of a directory that the program never empties: `quarantine/`, `abandoned/`, and the original's at the root.
struct DirectorySurvey: Codable, Sendable {
    private(set) var files = 0
    private(set) var bytes: UInt64 = 0
    /// Parquet files among them.
    private(set) var parquetFiles = 0
    /// Copies of log segments among them, without their reports.
    private(set) var segments = 0
    private(set) var newestAt: String?
    /// Milliseconds since 1970.
    private(set) var newest: Int64?

    private enum CodingKeys: String, CodingKey { case files, bytes, parquetFiles, segments, newestAt }

    /// - Parameter isCounted: whether a name is meant.
    init(_ path: String, in fileSystem: any FileSystem, where isCounted: (String) -> Bool = { _ in true }) throws {
        guard try fileSystem.exists(path) else { return }
        for name in try fileSystem.list(path) where isCounted(name) {
            guard let status = try fileSystem.status("\(path)/\(name)"), !status.isDirectory else { continue }
            files += 1
            bytes += status.byteCount
            newest = max(newest ?? .min, status.modifiedMilliseconds)
            if ReferenceID(name) != nil { parquetFiles += 1 }
            if SegmentDirectory.segment(named: name) != nil { segments += 1 }
        }
        newestAt = newest.map(HumanText.time)
    }

    /// Whether `name` is a file of the original agent: `*.json.br`, or `<hex>.<ms>` while it was written.
    static func isOriginals(_ name: String) -> Bool {
        if name.hasSuffix(".json.br") { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count >= 8, parts[1].utf8.count >= 10 else { return false }
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        return parts[1].utf8.allSatisfy(digits.contains)
            && parts[0].utf8.allSatisfy { digits.contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0) }
    }
}
