internal import ArgumentParser
internal import Bytes
internal import DiskIO
internal import Samples
internal import WAL

/// `czctl inspect wal`.
struct InspectWAL: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wal", abstract: "List the batch records of a log segment, and where and how it ends",
        discussion: """
            The file is <20 digits>.wal or .kept. The segment after it in the same directory, when it is there, says \
            where this one ends. A torn tail was never acknowledged and is no damage. Exit codes: 0 good, 3 a record \
            of another program version, 4 no such file, 7 damage.

            Examples:
              czctl inspect wal demo-data/wal/00000000000000000001.wal
              czctl inspect wal quarantine/00000000000000000042.wal --head 10 -o json
            """)

    @Argument(help: "The segment.", completion: .file(extensions: ["wal", "kept"]))
    var file: String

    @Option(help: "Only the first N records.")
    var head: Int?

    @OptionGroup var options: OutputOptions

    func validate() throws {
        if let head, head < 0 { throw ValidationError("--head cannot be negative") }
    }

    func run() throws {
        let listing = try SegmentListing.read(file, limit: head ?? .max)
        switch options.output {
        case .table: print(listing.text)
        case .json: print(try options.encoded(listing))
        }
        if !listing.damage.isEmpty {
            throw CommandFailure(
                .damage, "segment \(listing.segment) is damaged in \(listing.damage.count) place(s)",
                try: "keep a copy; the collector uses the rest at its next start")
        }
        if listing.unreadableBatches > 0 {
            throw CommandFailure(
                .findings, "cannot read \(listing.unreadableBatches) batches of segment \(listing.segment)",
                try: "the program version that wrote them")
        }
    }
}

/// What a segment holds: `czctl.inspect.wal/v1`.
struct SegmentListing: Encodable {
    struct Header: Encodable {
        let volume: String
        let createdAt: String
        let firstLsn: UInt64
        let configuration: String
        let predecessor: UInt64
        let predecessorEnd: UInt64
        let predecessorVerdict: String
    }

    struct Entry: Encodable {
        let offset: UInt64
        let kind: String
        let lsn: UInt64
        let durableLsn: UInt64
        let rows: Int
        /// Stored payload.
        let bytes: Int
        let compressed: Bool
        var batch: BatchSummary?
        /// Why the batch could not be read.
        var error: String?
    }

    struct BatchSummary: Encodable {
        let source: String
        let receivedAt: String
        let fingerprint: String
        let status: UInt16
        let writtenSamples: Int
        let writtenHistograms: Int
        let writtenExemplars: Int
        let rejectedSamples: Int
        let filteredSamples: Int
        let newSeries: Int
        let samples: Int
        let histograms: Int
        let exemplars: Int
        let metadata: Int
    }

    struct Damage: Encodable {
        let start: UInt64
        let end: UInt64
        let firstLsn: UInt64
        /// nil when nobody can know.
        let rows: Int?
    }

    let schema = "czctl.inspect.wal/v1"
    let file: String
    let segment: UInt64
    let fileBytes: UInt64
    let header: Header?
    /// Bytes; nothing at or after it belongs to the log.
    let logicalEnd: UInt64
    /// Whether the segment after it states the end.
    let isEndStated: Bool
    let verdict: String
    let lastLsn: UInt64
    let rows: UInt64
    let hash: String
    /// Of every kind, before the end.
    let recordCount: Int
    let damage: [Damage]
    /// Among the records listed.
    let unreadableBatches: Int
    let records: [Entry]

    /// Ends a scan that has seen enough.
    private struct Enough: Error {}

    /// - Parameter limit: records listed.
    /// - Throws: `CommandFailure` for a name that is no segment's, or no file; `IOError`.
    static func read(_ path: String, limit: Int) throws -> SegmentListing {
        let segment = try NamedSegment(path)
        return try read(segment.id, in: segment.folder, shown: path, limit)
    }

    private static func read(
        _ id: SegmentID, in folder: String, shown path: String, _ limit: Int
    ) throws -> SegmentListing {
        let fileSystem = PosixFileSystem()
        let directory = SegmentDirectory(folder, in: fileSystem)
        let stated = try directory.statedEnding(of: id)
        // Twice, as recovery reads: only the whole scan tells which records count.
        var survey = try SegmentScanner(id, statedEnding: stated, directory: directory, in: fileSystem)
        let summary = try survey.scan { _ in }
        var entries: [Entry] = []
        do {
            var scanner = try SegmentScanner(id, statedEnding: summary.ending, directory: directory, in: fileSystem)
            scanner.visitsEveryKind = true
            _ = try scanner.scan { record in
                guard entries.count < limit else { throw Enough() }
                entries.append(Entry(record))
            }
        } catch is Enough {}
        return SegmentListing(path, summary, isEndStated: stated != nil, entries)
    }

    private init(_ path: String, _ summary: SegmentSummary, isEndStated: Bool, _ entries: [Entry]) {
        file = path
        segment = summary.segment.number
        fileBytes = summary.fileBytes
        header = summary.header.map {
            Header(
                volume: "\($0.volume)", createdAt: HumanText.time($0.createdAt), firstLsn: $0.firstLSN,
                configuration: String($0.configuration, radix: 16), predecessor: $0.predecessor.segment.number,
                predecessorEnd: $0.predecessor.end, predecessorVerdict: "\($0.predecessor.verdict)")
        }
        logicalEnd = summary.ending.end
        self.isEndStated = isEndStated
        verdict = "\(summary.ending.verdict)"
        lastLsn = summary.ending.lastLSN
        rows = summary.ending.rows
        hash = summary.ending.hash.hex
        recordCount = summary.recordCount
        damage = summary.damage.map {
            Damage(start: $0.start, end: $0.end, firstLsn: $0.firstLSN, rows: $0.rows)
        }
        unreadableBatches = entries.count { $0.error != nil }
        records = entries
    }
}

extension SegmentListing.Entry {
    fileprivate init(_ record: Record) {
        self.init(
            offset: record.offset, kind: "\(record.kind)", lsn: record.lsn, durableLsn: record.durableLSN,
            rows: record.rows, bytes: record.payloadByteCount, compressed: record.isCompressed)
        guard record.kind == .batch else { return }
        do throws(BatchError) {
            let found = try Batch(payload: record.payload, isCompressed: record.isCompressed)
            let answer = found.header.answer
            batch = SegmentListing.BatchSummary(
                source: "\(found.header.source)", receivedAt: HumanText.time(found.header.receivedAt),
                fingerprint: found.header.fingerprint.hex, status: answer.status,
                writtenSamples: answer.written.samples, writtenHistograms: answer.written.histograms,
                writtenExemplars: answer.written.exemplars, rejectedSamples: answer.rejectedSamples,
                filteredSamples: answer.filteredSamples, newSeries: found.series.count,
                samples: found.references.count, histograms: found.histograms.count, exemplars: found.exemplars.count,
                metadata: found.metadata.count)
        } catch {
            self.error = "\(error)"
        }
    }
}

extension SegmentListing {
    /// For people: what the file is, its records, its damage.
    var text: String {
        var lines = [
            "segment \(segment)  \(HumanText.bytes(fileBytes))  \(verdict) at byte \(logicalEnd)"
                + "\(isEndStated ? " (stated by the next segment)" : "")  \(recordCount) records"
                + "  \(HumanText.grouped(rows)) rows  hash \(hash)"
        ]
        if let header {
            lines.append(
                "volume \(header.volume)  created \(header.createdAt)  lsn \(header.firstLsn)..\(lastLsn)"
                    + "  after segment \(header.predecessor) (\(header.predecessorVerdict) at \(header.predecessorEnd))"
            )
        } else {
            lines.append("neither copy of the header can be read")
        }
        var table = TextTable(
            ("OFFSET", .right), ("KIND", .left), ("LSN", .right), ("DURABLE", .right), ("ROWS", .right),
            ("BYTES", .right), ("SNAPPY", .left), ("SOURCE", .left), ("RECEIVED", .left), ("FINGERPRINT", .left),
            ("STATUS", .right), ("NEW SERIES", .right), ("SAMPLES", .right), ("HIST", .right), ("EXEMPL", .right),
            ("META", .right), ("ERROR", .left))
        for record in records {
            let first = [
                "\(record.offset)", record.kind, "\(record.lsn)", "\(record.durableLsn)", "\(record.rows)",
                "\(record.bytes)", record.compressed ? "yes" : "no",
            ]
            let batch = record.batch.map {
                [
                    $0.source, $0.receivedAt, $0.fingerprint, "\($0.status)", "\($0.newSeries)", "\($0.samples)",
                    "\($0.histograms)", "\($0.exemplars)", "\($0.metadata)",
                ]
            }
            table.add(first + (batch ?? [String](repeating: "", count: 9)) + [record.error ?? ""])
        }
        lines.append(table.text)
        for range in damage {
            let rows = range.rows.map { "\(HumanText.grouped($0)) rows" } ?? "rows unknown"
            lines.append("DAMAGE  bytes \(range.start)..<\(range.end)  first record lost \(range.firstLsn)  \(rows)")
        }
        return lines.joined(separator: "\n")
    }
}
