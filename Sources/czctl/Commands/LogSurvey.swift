internal import DiskIO
internal import WAL

/// What stands in `wal/`, read beside whoever writes it: no lock, nothing written.
struct LogSurvey: Sendable {
    enum State: String, Encodable, Sendable {
        /// Not written any more; its rows are still to become files.
        case sealed
        /// The newest: written now, or at the next start no more.
        case active
        /// A commit manifest names it: its rows are in files already, and it is being removed.
        case committed
        /// Kept aside for a histogram, exemplar or metadata that is in no file; its samples are in files.
        case kept
    }

    struct Segment: Sendable {
        let id: SegmentID
        let state: State
        let byteCount: UInt64
        /// Of its batch records; nil where nobody states it.
        let rows: UInt64?
        /// nil when the header cannot be read.
        let createdAt: Int64?
        let firstLSN: UInt64?
        let verdict: SegmentVerdict?

        /// Whether its rows are in no file yet.
        var isInLog: Bool { state == .sealed || state == .active }
    }

    private(set) var segments: [Segment] = []
    /// Of plans whose publication is not finished.
    private(set) var committed: [ManifestCounts] = []
    private(set) var done: [ManifestCounts] = []
    /// Manifests that cannot be read.
    private(set) var damagedManifests: [String] = []
    /// Names whose change means that rows moved between log and files.
    private(set) var manifestNames: [String] = []

    private static let manifestByteLimit = 256 << 20

    var rows: UInt64 { segments.filter(\.isInLog).reduce(0) { $0 &+ ($1.rows ?? 0) } }
    var newest: Segment? { segments.last { $0.state != .kept } }

    /// - Parameter live: the collector's own words on the segment it writes, when it runs.
    init(_ layout: VolumeLayout, in fileSystem: any FileSystem, live: LiveStatus?) throws {
        guard try fileSystem.exists(layout.wal) else { return }
        let names = try fileSystem.list(layout.wal)
        manifestNames = Self.manifestNames(names)
        for name in manifestNames { try read(manifest: name, layout, fileSystem) }
        let removed = Set(committed.flatMap(\.segments))
        try readSegments(names.compactMap(SegmentDirectory.segment(named:)), removed: removed, layout, fileSystem, live)
        for name in names {
            guard let id = SegmentDirectory.keptSegment(named: name),
                let status = try fileSystem.status("\(layout.wal)/\(name)")
            else { continue }
            segments.append(
                Segment(
                    id: id, state: .kept, byteCount: status.byteCount, rows: nil, createdAt: nil, firstLSN: nil,
                    verdict: nil))
        }
    }

    static func manifestNames(_ names: [String]) -> [String] {
        names.filter { $0.hasSuffix(".commit") || $0.hasSuffix(".done") }
    }

    private mutating func read(manifest name: String, _ layout: VolumeLayout, _ fileSystem: any FileSystem) throws {
        let bytes: [UInt8]
        do throws(IOError) {
            bytes = try fileSystem.contents(of: "\(layout.wal)/\(name)", limit: Self.manifestByteLimit)
        } catch {
            if error.isNotFound { return }  // its plan went on since the listing
            throw error
        }
        guard let counts = ManifestCounts(bytes) else { return damagedManifests.append(name) }
        if name.hasSuffix(".commit") { committed.append(counts) } else { done.append(counts) }
    }

    private mutating func readSegments(
        _ ids: [SegmentID], removed: Set<SegmentID>, _ layout: VolumeLayout, _ fileSystem: any FileSystem,
        _ live: LiveStatus?
    ) throws {
        let directory = SegmentDirectory(layout.wal, in: fileSystem)
        var headers: [SegmentID: SegmentHeader] = [:]
        var sizes: [SegmentID: UInt64] = [:]
        for id in ids {
            do throws(IOError) {
                headers[id] = try directory.header(of: id)
                sizes[id] = try fileSystem.status(directory.path(of: id))?.byteCount
            } catch {
                if !error.isNotFound { throw error }  // compacted since the listing
            }
        }
        for (index, id) in ids.enumerated() {
            guard let byteCount = sizes[id] else { continue }
            let header = headers[id]
            let successor = index + 1 < ids.count ? headers[ids[index + 1]]?.predecessor : nil
            let stated = successor.flatMap { $0.segment == id ? $0 : nil }
            let isNewest = index == ids.count - 1
            var rows = stated?.rows
            var verdict = stated?.verdict
            if isNewest, let live, live.activeSegment == id.number, let activeRows = live.activeRows {
                (rows, verdict) = (activeRows, .unsealed)
            } else if stated == nil {
                let ending = try scan(id, directory, fileSystem)
                // Without its header nobody knows what it holds.
                (rows, verdict) = (header == nil ? nil : ending?.rows, ending?.verdict)
            }
            let isOpen = isNewest && verdict != .sealed
            segments.append(
                Segment(
                    id: id, state: removed.contains(id) ? .committed : isOpen ? .active : .sealed,
                    byteCount: byteCount, rows: rows, createdAt: header?.createdAt, firstLSN: header?.firstLSN,
                    verdict: verdict))
        }
    }

    /// The newest segment has no successor that says how it ends: it is read. A group written meanwhile counts or does
    /// not, as it comes.
    private func scan(
        _ id: SegmentID, _ directory: SegmentDirectory, _ fileSystem: any FileSystem
    ) throws -> SegmentEnding? {
        do {
            var scanner = try SegmentScanner(id, statedEnding: nil, directory: directory, in: fileSystem)
            return try scanner.scan { _ in }.ending
        } catch let error as IOError where error.isNotFound {
            return nil
        }
    }
}
