internal import ArgumentParser
internal import DiskIO
internal import WAL

/// `czctl segments describe`.
struct SegmentsDescribe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe", abstract: "Everything about a segment: its end, its damage, the files of its rows",
        discussion: """
            Reads the whole segment; of one that is compacted it tells the files, while its plan's manifest is \
            remembered (dedup.window). Exit codes: 0 found, 4 not found, 7 damaged.

            Examples:
              czctl segments describe 42 --data ./demo-data
              czctl segments list -o name | tail -1 | xargs czctl segments describe -o json
            """)

    @Argument(help: "A segment's number.", completion: .shellCommand("czctl segments list -o name 2>/dev/null"))
    var id: UInt64

    @OptionGroup var target: DataOptions
    @OptionGroup var options: OutputOptions

    func run() throws {
        guard let story = try SegmentStory(SegmentID(id), try target.layout(), PosixFileSystem()) else {
            throw CommandFailure(
                .notFound, "cannot describe segment \(id): neither wal/ nor a manifest has it",
                try: "czctl segments list; czctl trace \(id)")
        }
        switch options.output {
        case .table: print(story.text)
        case .json: print(try options.encoded(story))
        }
        if !story.damage.isEmpty {
            throw CommandFailure(
                .damage, "segment \(id) is damaged in \(story.damage.count) place(s)",
                try: "czctl inspect wal \(story.path ?? "SEGMENT")")
        }
    }
}

/// What is known of one segment: `czctl.segment/v1`.
struct SegmentStory: Encodable {
    let schema = "czctl.segment/v1"
    let segment: UInt64
    /// As `czctl segments list` has it, or `compacted` when only a manifest tells of it.
    let state: String
    /// These are nil when it is compacted; what stands in the header, when that cannot be read.
    let path: String?
    let bytes: UInt64?
    let createdAt: String?
    let firstLsn: UInt64?
    let lastLsn: UInt64?
    let rows: UInt64?
    let records: Int?
    /// Byte; nothing at or after it belongs to the log.
    let logicalEnd: UInt64?
    let verdict: String?
    let hash: String?
    let damage: [SegmentListing.Damage]
    /// Of its plan, while that is remembered.
    let manifest: String?
    let files: [String]

    /// nil when nobody knows the segment.
    init?(_ id: SegmentID, _ layout: VolumeLayout, _ fileSystem: any FileSystem) throws {
        let log = try LogSurvey(layout, in: fileSystem, live: nil)
        let plans =
            log.committed.map { ($0, "commit") } + log.done.map { ($0, "done") }
        let plan = plans.first { $0.0.segments.contains(id) }.map { FileStory.Plan($0.0, suffix: $0.1) }
        let found = log.segments.first { $0.id == id }
        guard plan != nil || found != nil else { return nil }
        segment = id.number
        state = found?.state.rawValue ?? "compacted"
        manifest = plan?.manifest
        files = plan?.files ?? []
        let name = SegmentDirectory.name(of: id)
        let kept = String(name.dropLast("wal".count)) + "kept"
        path = found.map { "\(layout.wal)/\($0.state == .kept ? kept : name)" }
        let listing = try path.map { try SegmentListing.read($0, limit: 0) }
        bytes = listing?.fileBytes
        createdAt = listing?.header?.createdAt
        firstLsn = listing?.header?.firstLsn
        lastLsn = listing?.lastLsn
        rows = listing?.rows
        records = listing?.recordCount
        logicalEnd = listing?.logicalEnd
        verdict = listing?.verdict
        hash = listing?.hash
        damage = listing?.damage ?? []
    }

    var text: String {
        var lines = ["segment \(segment)"]
        func add(_ title: String, _ value: String?) {
            guard let value else { return }
            lines.append("  " + title + String(repeating: " ", count: max(1, 12 - title.count)) + HumanText.line(value))
        }
        add("state", state)
        add("here", path)
        add("size", bytes.map { HumanText.bytes($0) })
        add("created", createdAt)
        add("rows", rows.map { HumanText.grouped($0) })
        add("records", records.map { HumanText.grouped($0) })
        if let firstLsn, let lastLsn { add("lsn", "\(firstLsn) to \(lastLsn)") }
        if let verdict, let logicalEnd { add("end", "\(verdict) at byte \(logicalEnd)") }
        add("hash", hash)
        for range in damage {
            add("damage", "bytes \(range.start) to \(range.end), \(range.rows.map { "\($0)" } ?? "unknown") rows")
        }
        add("plan", manifest)
        for file in files { add("file", file) }
        return lines.joined(separator: "\n")
    }
}
