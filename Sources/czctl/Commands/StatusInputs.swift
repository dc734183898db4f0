internal import DiskIO
internal import Ship
internal import WAL

/// Everything a status report is made of, as it was found.
struct StatusInputs: Sendable {
    let layout: VolumeLayout
    /// Milliseconds since 1970.
    let now: Int64
    /// Answers of the services that run; one for `czctl run`.
    let live: [LiveStatus]
    /// Who holds a lock of the volume and does not answer, in the words of the lock file.
    let silent: [String]
    /// A collector runs, and no shipper.
    let isShipperMissing: Bool
    let volume: Volume?
    let shipperID: String?
    /// Whether the collector left its marker of a graceful stop.
    let isStopComplete: Bool
    let log: LogSurvey
    let files: FileSurvey
    let space: VolumeSpace
    /// A destination is on the volume: what `directory` is by default.
    let isShippedHere: Bool
    let quarantine: DirectorySurvey
    let abandoned: DirectorySurvey
    let originals: DirectorySurvey

    /// Times that log and files are read again because rows moved from one to the other meanwhile.
    private static let rereads = 3

    /// Reads files only: takes no lock, writes nothing into the volume.
    /// - Throws: `CommandFailure.notFound` when there is no such directory; `IOError`.
    static func gather(
        layout: VolumeLayout, fileSystem: any FileSystem, clocks: Clocks, live: [LiveStatus]
    ) async throws -> StatusInputs {
        guard try fileSystem.status(layout.root)?.isDirectory == true else {
            throw CommandFailure(
                .notFound, "cannot read the volume \(layout.root): there is no such directory",
                try: "czctl status --data DIR")
        }
        var live = live
        // `czctl run` answers on both sockets.
        if live.count == 2, live[0].pid == live[1].pid, live[0].role == live[1].role { live.removeLast() }
        let collector = live.first { $0.role != "shipper" }
        let shipper = live.first { $0.role != "collector" }
        let isShipperSilent = shipper == nil && DirectoryLock.isHeld(layout.shipperLock)
        var silent: [String] = []
        if collector == nil, DirectoryLock.isHeld(layout.collectorLock) { silent.append(owner(layout.collectorLock)) }
        if isShipperSilent { silent.append(owner(layout.shipperLock)) }
        // `czctl run` holds both.
        if silent.count == 2, silent[0] == silent[1] { silent.removeLast() }
        var (log, files) = try await readRows(layout, fileSystem, collector, shipper)
        for _ in 0..<rereads {
            let names = try fileSystem.exists(layout.wal) ? try fileSystem.list(layout.wal) : []
            if LogSurvey.manifestNames(names) == log.manifestNames { break }
            (log, files) = try await readRows(layout, fileSystem, collector, shipper)
        }
        return StatusInputs(
            layout: layout, now: clocks.wallMilliseconds(), live: live, silent: silent,
            isShipperMissing: collector != nil && shipper == nil && !isShipperSilent,
            volume: try Volume.read(layout, in: fileSystem), shipperID: try shipperID(layout, fileSystem),
            isStopComplete: try fileSystem.exists(layout.collectorShutdownComplete), log: log, files: files,
            space: try fileSystem.space(layout.root), isShippedHere: try fileSystem.exists(layout.shipped),
            quarantine: try DirectorySurvey(layout.quarantine, in: fileSystem),
            abandoned: try DirectorySurvey(layout.abandoned, in: fileSystem),
            originals: try DirectorySurvey(layout.root, in: fileSystem, where: DirectorySurvey.isOriginals))
    }

    /// The log first: rows go from it to the files.
    private static func readRows(
        _ layout: VolumeLayout, _ fileSystem: any FileSystem, _ collector: LiveStatus?, _ shipper: LiveStatus?
    ) async throws -> (LogSurvey, FileSurvey) {
        let log = try LogSurvey(layout, in: fileSystem, live: collector)
        return (log, try await FileSurvey(layout, in: fileSystem, log: log, configured: shipper?.destinations))
    }

    private static func owner(_ lock: String) -> String {
        let owner = HumanText.line(DirectoryLock.owner(of: lock))
        return owner.isEmpty ? "an unnamed process" : owner
    }

    private static func shipperID(_ layout: VolumeLayout, _ fileSystem: any FileSystem) throws(IOError) -> String? {
        guard try fileSystem.exists(layout.shipperID) else { return nil }
        let text = String(decoding: try fileSystem.contents(of: layout.shipperID, limit: 4096), as: UTF8.self)
        return HumanText.line(String(text.prefix { $0 != "\n" }))
    }

    var collector: LiveStatus? { live.first { $0.role != "shipper" } }
    var shipper: LiveStatus? { live.first { $0.role != "collector" } }

    /// The newest arrival in quarantine, of files or of log segments.
    var lastQuarantined: Int64? {
        [quarantine.newest, files.lastQuarantined].compactMap(\.self).max()
    }
}
