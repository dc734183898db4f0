internal import ArgumentParser
internal import DiskIO
internal import Ship

/// `czctl files`.
struct Files: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at the files on their way",
        discussion: """
            Examples:
              czctl files list --data ./demo-data
              czctl files list --state failed -o name | xargs czctl retry
            """,
        subcommands: [FilesList.self, FilesDescribe.self])
}

/// The states of a file, as `czctl` names them.
enum FileState: String, ExpressibleByArgument, CaseIterable, Encodable, Sendable {
    /// Complete; discovered or allocated in the ledger, or not seen by the shipper yet.
    case ready
    case uploading, uploaded, failed, abandoned, quarantined
    /// Delivered, and no local copy is left.
    case purged

    init(_ state: ShipmentState) {
        self =
            switch state {
            case .discovered, .allocated: .ready
            case .uploading: .uploading
            case .uploaded, .purging: .uploaded
            case .purged: .purged
            case .failed: .failed
            case .abandoned: .abandoned
            case .quarantined: .quarantined
            }
    }
}

/// `czctl files list`.
struct FilesList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List files: state, rows, size, age, tries, last error",
        discussion: """
            Oldest samples first; with several destinations a file has a line for each. Purged files are listed only \
            when asked for by --state purged.

            Examples:
              czctl files list --data ./demo-data
              czctl files list --state failed --state quarantined -o json
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case table, json, name }

    @OptionGroup var target: DataOptions

    @Option(name: .customLong("state"), help: "Only files in this state; repeatable.")
    var states: [FileState] = []

    @Option(name: .shortAndLong, help: "table, json, or name: the ids alone, one a line.")
    var output = Format.table

    func run() async throws {
        let entries = try await entries(try target.layout())
        switch output {
        case .table: print(table(entries))
        case .json: print(try Console.json(FileListing(files: entries)))
        case .name:
            var seen: Set<String> = []
            for entry in entries where seen.insert(entry.id).inserted { print(entry.id) }
        }
    }

    private func entries(_ layout: VolumeLayout) async throws -> [FileListing.Entry] {
        let fileSystem = PosixFileSystem()
        let now = Clocks.system.wallMilliseconds()
        let rows: [Shipment]
        do {
            let found = try await LedgerCopy.read(layout, fileSystem) { ledger throws(ShipError) in
                try await ledger.list(.all)
            }
            rows = found ?? []
        } catch let error as ShipError {
            throw CommandFailure(error)
        }
        // Second, as in status: what leaves the outbox has its row by then; a file seen twice is its row.
        let log = try LogSurvey(layout, in: fileSystem, live: nil)
        let known = Set(rows.map(\.file))
        let waiting = try await FileSurvey(layout, in: fileSystem, log: log).undiscovered
        let entries =
            rows.map { FileListing.Entry($0, now: now) }
            + waiting.filter { !known.contains($0.name) }.map { FileListing.Entry($0, now: now) }
        return entries.filter { states.isEmpty ? $0.state != .purged : states.contains($0.state) }
    }

    private func table(_ entries: [FileListing.Entry]) -> String {
        let hasSeveral = Set(entries.compactMap(\.destination)).count > 1
        var table = TextTable(
            ("ID", .left), ("STATE", .left), ("ROWS", .right), ("SIZE", .right), ("AGE", .right), ("TRIES", .right),
            (hasSeveral ? "DESTINATION" : "", .left), ("LAST ERROR", .left))
        for entry in entries {
            table.add([
                entry.id, entry.state.rawValue, entry.rows.map { HumanText.grouped($0) } ?? "-",
                HumanText.bytes(entry.bytes), HumanText.duration(milliseconds: Int64(entry.ageSeconds * 1000)),
                "\(entry.attempts)", hasSeveral ? entry.destination ?? "-" : "", entry.lastError?.code ?? "",
            ])
        }
        return table.text
    }
}

/// `czctl.files/v1`.
struct FileListing: Encodable {
    struct Entry: Encodable, Sendable {
        let id: String
        /// nil while the shipper has not seen the file.
        let destination: String?
        let state: FileState
        let rows: Int64?
        let bytes: Int64
        let sha256: String?
        /// PUTs or copies begun.
        let attempts: Int
        /// Not tried before this.
        let nextTryAt: String?
        let discoveredAt: String
        let uploadedAt: String?
        let ageSeconds: Double
        let lastError: StatusReport.Failure?

        init(_ row: Shipment, now: Int64) {
            id = row.file
            destination = row.destination
            state = FileState(row.state)
            rows = row.rowCount
            bytes = row.byteCount
            sha256 = row.sha256
            attempts = row.attempts
            nextTryAt = row.state == .failed ? HumanText.time(row.notBeforeMilliseconds) : nil
            discoveredAt = HumanText.time(row.discoveredMilliseconds)
            uploadedAt = row.uploadedMilliseconds.map(HumanText.time)
            ageSeconds = Double(max(0, now - row.discoveredMilliseconds)) / 1000
            lastError = row.lastError.map {
                StatusReport.Failure(at: HumanText.time($0.atMilliseconds), code: $0.code, text: $0.text)
            }
        }

        init(_ file: FileSurvey.Undiscovered, now: Int64) {
            id = file.name
            destination = nil
            state = .ready
            rows = file.rows.map { Int64($0) }
            bytes = Int64(clamping: file.byteCount)
            sha256 = nil
            attempts = 0
            nextTryAt = nil
            discoveredAt = HumanText.time(file.since)
            uploadedAt = nil
            ageSeconds = Double(max(0, now - file.since)) / 1000
            lastError = nil
        }
    }

    let schema = "czctl.files/v1"
    let files: [Entry]
}
