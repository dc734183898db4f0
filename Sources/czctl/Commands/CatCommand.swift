internal import ArgumentParser
internal import DiskIO
internal import Parquet
internal import Samples
internal import WAL

/// `czctl cat`.
struct Cat: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print every value that the log or a Parquet file holds, one a line, losslessly",
        discussion: """
            Reads a volume that is running, was killed or is stopped, and writes nothing to it. A request line comes \
            before the values of its request; histograms are decoded, and in JSON their message is added as it was \
            sent.

            Values that were compacted are in Parquet files, printed when they are named: of either layout, and of \
            other writers. A line is a row with its columns; in JSON times are milliseconds since 1970, NaN and \
            infinities are texts. A column that cannot be read is left out and named on standard error.

            Exit codes: 0 good, 3 a record of another program version, 4 no such file, 7 damage (what can be read is \
            printed), 8 a column was left out.

            Examples:
              czctl cat --data ./demo-data --metric up
              czctl cat demo-data/wal/00000000000000000001.wal
              czctl cat demo-data/uploaded/*.parquet --where job=node --since 2026-07-01T15:00:00Z -o csv
              czctl cat --data ./demo-data -o json | jq -c 'select(.kind == "sample" and .stale)'
            """)

    @Argument(
        help: "Segments, <20 digits>.wal or .kept, and .parquet files; without any, the volume's whole log.",
        completion: .file())
    var files: [String] = []

    @OptionGroup var target: DataOptions
    @OptionGroup var voice: VoiceOptions

    @Option(name: .shortAndLong, help: "text, json or jsonl (one object a line, both), or csv (of Parquet files).")
    var output = CatOutput.text

    @Option(help: "Only series, exemplars and metadata of this metric.")
    var metric: String?

    @Option(
        name: .customLong("where"),
        help: "Of Parquet files: label=value or label!=value; repeatable. An absent label is empty.")
    var conditions: [String] = []

    @Option(help: "Of Parquet files: first time wanted, 2026-07-01T15:00:00Z or milliseconds since 1970.")
    var since: String?

    @Option(help: "Of Parquet files: last time wanted.")
    var until: String?

    func validate() throws {
        _ = try selection()
        guard files.isEmpty || !files.allSatisfy(Self.isParquet) else { return }
        guard output != .csv, conditions.isEmpty, since == nil, until == nil else {
            throw ValidationError("-o csv, --where, --since and --until are for Parquet files")
        }
    }

    private static func isParquet(_ file: String) -> Bool { file.hasSuffix(".parquet") }

    private func selection() throws -> RowSelection {
        try RowSelection(metric: metric, conditions: conditions, since: since, until: until)
    }

    func run() throws {
        var printer = CatPrinter(output == .text ? .text : .json, metric: metric)
        var rows = ParquetPrinter(output, try selection().query)
        var findings = Findings()
        if files.isEmpty {
            try printVolume(try target.layout(), &printer, &findings)
        } else {
            for file in files {
                if Self.isParquet(file) {
                    printer.flush()
                    try Self.print(file, &rows)
                    continue
                }
                let segment = try NamedSegment(file)
                try Self.read(segment.id, in: segment.folder, &printer, &findings)
            }
        }
        printer.flush()
        try findings.check()
        if rows.unreadableCount > 0 {
            throw CommandFailure(.partial, "\(rows.unreadableCount) column(s) were left out", try: "another reader")
        }
    }

    private static func print(_ file: String, _ rows: inout ParquetPrinter) throws {
        guard let real = RealPath.of(file) else {
            throw CommandFailure(.notFound, "cannot read \(file): no such file", try: "czctl files list -o name")
        }
        do {
            try rows.print(try ParquetFile(source: try OpenedFile(real, in: PosixFileSystem())), shown: file)
        } catch let error as ParquetError {
            throw CommandFailure(error, file)
        }
    }

    private func printVolume(
        _ layout: VolumeLayout, _ printer: inout CatPrinter, _ findings: inout Findings
    ) throws {
        for name in try PosixFileSystem().list(layout.wal) {
            guard let id = SegmentDirectory.segment(named: name) ?? SegmentDirectory.keptSegment(named: name) else {
                continue
            }
            do {
                let segment = try NamedSegment("\(layout.wal)/\(name)")
                try Self.read(segment.id, in: segment.folder, &printer, &findings)
            } catch let error as IOError where error.isNotFound {
                printError("czctl: segment \(id) was compacted meanwhile")
            } catch let failure as CommandFailure where failure.status == .notFound {
                printError("czctl: segment \(id) was compacted meanwhile")
            }
        }
    }

    private static func read(
        _ id: SegmentID, in folder: String, _ printer: inout CatPrinter, _ findings: inout Findings
    ) throws {
        let fileSystem = PosixFileSystem()
        let directory = SegmentDirectory(folder, in: fileSystem)
        var ending = try directory.statedEnding(of: id)
        if ending == nil {
            // The newest: only the whole scan tells which records count. A live log grows behind this end.
            var survey = try SegmentScanner(id, statedEnding: nil, directory: directory, in: fileSystem)
            let summary = try survey.scan { _ in }
            ending = summary.ending
        }
        printer.startSegment(id.number)
        var unreadable = 0
        var scanner = try SegmentScanner(id, statedEnding: ending, directory: directory, in: fileSystem)
        let summary = try scanner.scan { record in
            do throws(BatchError) {
                printer.print(
                    try Batch(payload: record.payload, isCompressed: record.isCompressed), lsn: record.lsn,
                    offset: record.offset)
            } catch {
                unreadable += 1
                printError("czctl: segment \(id), record \(record.lsn): \(error)")
            }
        }
        findings.unreadable += unreadable
        findings.damage += summary.damage.count
    }

    /// What stood in the way of printing everything.
    private struct Findings {
        var damage = 0
        var unreadable = 0

        func check() throws {
            if damage > 0 {
                throw CommandFailure(
                    .damage, "the log is damaged in \(damage) place(s); the rest is printed",
                    try: "czctl inspect wal SEGMENT")
            }
            if unreadable > 0 {
                throw CommandFailure(
                    .findings, "cannot read \(unreadable) batches", try: "the program version that wrote them")
            }
        }
    }
}

/// `-o` of `czctl cat`.
enum CatOutput: String, ExpressibleByArgument, CaseIterable, Sendable {
    case text, json, jsonl, csv
}

/// A segment that a user named by its file, where the reader can find it.
struct NamedSegment: ~Copyable {
    let id: SegmentID
    let folder: String
    /// Holds the copy of a `.kept` segment under the name the reader goes by.
    private let copy: TemporaryDirectory?

    /// - Throws: `CommandFailure` for a name that is no segment's, or no file; `IOError`.
    init(_ path: String) throws {
        guard let real = RealPath.of(path), let slash = real.lastIndex(of: "/") else {
            throw CommandFailure(.notFound, "cannot read the segment \(path): no such file", try: "czctl segments list")
        }
        let name = String(real[real.index(after: slash)...])
        if let id = SegmentDirectory.segment(named: name) {
            self.id = id
            folder = String(real[..<slash])
            copy = nil
            return
        }
        guard let id = SegmentDirectory.keptSegment(named: name) else {
            throw CommandFailure(
                .usage, "cannot read the segment \(path): its name is not <20 digits>.wal or .kept",
                try: "a copy with the segment's own name: every checksum holds its number")
        }
        let directory = try TemporaryDirectory()
        let contents = try PosixFileSystem().contents(of: real, limit: 2 << 30)
        try PosixFileSystem().publish(contents, at: "\(directory.path)/\(SegmentDirectory.name(of: id))")
        self.id = id
        folder = directory.path
        copy = consume directory
    }
}
