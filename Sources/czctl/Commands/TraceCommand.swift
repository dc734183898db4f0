internal import ArgumentParser
internal import DiskIO
internal import Parquet
internal import Samples
internal import Ship
internal import WAL

/// `czctl trace`.
struct Trace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Follow a series, a file or a segment through log, manifests, files and ledger",
        discussion: """
            A file: the segments it came from, and where it went. A segment, by its number: where its rows are now. A \
            series, by --metric and --where: each segment and each file of this volume that holds rows of it, and \
            whether these are delivered; a file whose local copy is purged cannot be searched. Exit codes: 0 found, 4 \
            nothing found.

            Examples:
              czctl trace 42 --data ./demo-data
              czctl trace --metric up --where instance=node-1:9100 --data ./demo-data
              czctl trace --metric up --since 2026-07-01T15:00:00Z --until 2026-07-01T15:10:00Z -o json
            """)

    @Argument(help: "A file's id, or a segment's number.", completion: FileIDs.completion)
    var id: String?

    @Option(help: "Rows of this metric.")
    var metric: String?

    @OptionGroup var rowOptions: RowOptions

    @OptionGroup var target: DataOptions
    @OptionGroup var options: OutputOptions

    func validate() throws {
        guard (id == nil) != (metric == nil) else { throw ValidationError("give an id, or --metric") }
        _ = try rowOptions.selection(of: metric)
    }

    /// `czctl.trace/v1`.
    private struct Answer: Encodable {
        struct Part: Encodable {
            let segment: UInt64
            let state: LogSurvey.State
            let rows: Int
        }

        struct File: Encodable {
            let id: String
            /// Of the wanted rows.
            let rows: Int?
            let segments: String?
            let states: [String: FileState]
        }

        let schema = "czctl.trace/v1"
        var log: [Part] = []
        var files: [File] = []
    }

    func run() async throws {
        let layout = try target.layout()
        do {
            if let id, UInt64(id) == nil { return try await showFile(id, layout) }
            let answer =
                if let id, let number = UInt64(id) {
                    try await segment(SegmentID(number), layout)
                } else {
                    try await series(layout)
                }
            guard !answer.log.isEmpty || !answer.files.isEmpty else {
                throw CommandFailure(
                    .notFound,
                    "nothing of \(HumanText.line(id ?? metric ?? "", limit: 200)) is on this volume any more",
                    try: "czctl query at the destination; czctl segments list")
            }
            try show(answer)
        } catch let error as ShipError {
            throw CommandFailure(error)
        }
    }

    private func showFile(_ id: String, _ layout: VolumeLayout) async throws {
        guard let story = try await FileStory.read(id, layout, PosixFileSystem()) else {
            throw CommandFailure(
                .notFound, "cannot trace \(HumanText.line(id, limit: 200)): not found", try: "czctl files list -o name")
        }
        print(options.output == .table ? story.text : try options.encoded(story))
    }

    /// Where the rows of a segment are.
    private func segment(_ id: SegmentID, _ layout: VolumeLayout) async throws -> Answer {
        let fileSystem = PosixFileSystem()
        var answer = Answer()
        let log = try LogSurvey(layout, in: fileSystem, live: nil)
        if let found = log.segments.first(where: { $0.id == id }) {
            answer.log.append(
                Answer.Part(segment: id.number, state: found.state, rows: Int(clamping: found.rows ?? 0)))
        }
        var names = (log.committed + log.done).filter { $0.segments.contains(id) }.flatMap(\.files).map(\.name)
        // Footers remember longer than manifests do.
        for (name, path) in try Self.copies(layout, fileSystem) where !names.contains(name) {
            // One that cannot be read is verify's matter.
            let metadata = try? ParquetFile(source: try OpenedFile(path, in: fileSystem)).metadata
            let range = (metadata?["cirrus.segments"] ?? "").split(separator: "-").compactMap { UInt64($0) }
            if range.count == 2, range[0] <= id.number, id.number <= range[1] { names.append(name) }
        }
        for name in names { answer.files.append(try await file(name, rows: nil, layout)) }
        return answer
    }

    /// Where rows of a series are.
    private func series(_ layout: VolumeLayout) async throws -> Answer {
        let fileSystem = PosixFileSystem()
        let selection = try rowOptions.selection(of: metric)
        var answer = Answer()
        for segment in try LogSurvey(layout, in: fileSystem, live: nil).segments where segment.isInLog {
            let rows = try Self.count(segment.id, selection, layout, fileSystem)
            if rows > 0 {
                answer.log.append(Answer.Part(segment: segment.id.number, state: segment.state, rows: rows))
            }
        }
        for (name, path) in try Self.copies(layout, fileSystem) where name.hasPrefix("metrics_") {
            guard let real = RealPath.of(path) else { continue }  // purged meanwhile
            var found = QueryAnswer(selection.query)
            do {
                try found.add(try ParquetFile(source: try OpenedFile(real, in: fileSystem)))
            } catch let error as ParquetError {
                throw CommandFailure(error, path)
            }
            let rows = found.groups.values.reduce(0) { $0 + $1.count }
            if rows > 0 { answer.files.append(try await file(name, rows: rows, layout)) }
        }
        return answer
    }

    private static func count(
        _ id: SegmentID, _ selection: RowSelection, _ layout: VolumeLayout, _ fileSystem: any FileSystem
    ) throws -> Int {
        let directory = SegmentDirectory(layout.wal, in: fileSystem)
        var wanted: Set<UInt32> = []
        var rows = 0
        do {
            var scanner = try SegmentScanner(
                id, statedEnding: try directory.statedEnding(of: id), directory: directory, in: fileSystem)
            _ = try scanner.scan { record in
                let batch = try Batch(payload: record.payload, isCompressed: record.isCompressed)
                for entry in batch.series where selection.matches(entry, batch) { wanted.insert(entry.reference) }
                for (index, reference) in batch.references.enumerated()
                where wanted.contains(reference) && selection.query.times.contains(batch.timestamps[index]) {
                    rows += 1
                }
            }
        } catch let error as IOError where error.isNotFound {
            return 0  // compacted meanwhile: its files tell
        }
        return rows
    }

    /// Files that are on this volume, by name.
    private static func copies(
        _ layout: VolumeLayout, _ fileSystem: any FileSystem
    ) throws -> [(name: String, path: String)] {
        var found: [(String, String)] = []
        var seen: Set<String> = []
        for folder in [layout.outbox, layout.uploaded, layout.abandoned] where try fileSystem.exists(folder) {
            for name in try fileSystem.list(folder) where ReferenceID(name) != nil && seen.insert(name).inserted {
                found.append((name, "\(folder)/\(name)"))
            }
        }
        return found
    }

    private func file(_ name: String, rows: Int?, _ layout: VolumeLayout) async throws -> Answer.File {
        let story = try await FileStory.read(name, layout, PosixFileSystem())
        let states = (story?.deliveries ?? []).map { ($0.destination, $0.state) }
        return Answer.File(
            id: name, rows: rows, segments: story?.segments, states: Dictionary(states) { first, _ in first })
    }

    private func show(_ answer: Answer) throws {
        guard options.output == .table else { return print(try options.encoded(answer)) }
        var table = TextTable(("WHERE", .name), ("ROWS", .right), ("SEGMENTS", .left), ("STATE", .left))
        for part in answer.log {
            table.add([
                "segment \(part.segment)", HumanText.grouped(part.rows), "", "in the log, \(part.state.rawValue)",
            ])
        }
        for file in answer.files {
            let states = file.states.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.rawValue)" }
            table.add([
                file.id, file.rows.map { HumanText.grouped($0) } ?? "", file.segments ?? "",
                states.isEmpty ? "ready" : states.joined(separator: ", "),
            ])
        }
        print(table.text(options.style))
    }
}
