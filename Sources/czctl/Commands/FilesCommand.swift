internal import ArgumentParser
internal import DiskIO
internal import Metrics
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
              czctl files list --since 1h --sort size -o wide
            """)

    @OptionGroup var target: DataOptions

    @Option(name: .customLong("state"), help: "Only files in this state; repeatable.")
    var states: [FileState] = []

    @Option(help: "Only files that came in this time: 1h, 30m.")
    var since: DurationArgument?

    @Option(help: "age (oldest first), rows or size (most first), or state; without it, oldest samples first.")
    var sort: Order?

    @OptionGroup var options: ListOptions

    enum Order: String, ExpressibleByArgument, CaseIterable { case age, rows, size, state }

    func run() async throws {
        let layout = try target.layout()
        let rows = try await rows(layout)
        let entries = try await entries(layout, rows)
        if entries.isEmpty, states.isEmpty, let purged = PurgedFiles(rows) {
            // A configuration that cannot be used is no matter of a list.
            purged.tell(layout, (try? target.knownSettings()) ?? nil)
        }
        try options.show(entries, in: FileListing(files: entries), id: \.id) { table(entries, isWide: $0) }
    }

    private func rows(_ layout: VolumeLayout) async throws -> [Shipment] {
        do {
            let found = try await LedgerCopy.read(layout, PosixFileSystem()) { ledger throws(ShipError) in
                try await ledger.list(.all)
            }
            return found ?? []
        } catch let error as ShipError {
            throw CommandFailure(error)
        }
    }

    private func entries(_ layout: VolumeLayout, _ rows: [Shipment]) async throws -> [FileListing.Entry] {
        let fileSystem = PosixFileSystem()
        let now = Clocks.system.wallMilliseconds()
        // Second, as in status: what leaves the outbox has its row by then; a file seen twice is its row.
        let log = try LogSurvey(layout, in: fileSystem, live: nil)
        let known = Set(rows.map(\.file))
        let waiting = try await FileSurvey(layout, in: fileSystem, log: log).undiscovered
        let entries =
            rows.map { FileListing.Entry($0, now: now) }
            + waiting.filter { !known.contains($0.name) }.map { FileListing.Entry($0, now: now) }
        return sorted(
            entries.filter { entry in
                (states.isEmpty ? entry.state != .purged : states.contains(entry.state))
                    && entry.ageSeconds <= (since?.duration.inSeconds ?? .infinity)
            })
    }

    /// Of those that are equal, oldest samples first.
    private func sorted(_ entries: [FileListing.Entry]) -> [FileListing.Entry] {
        guard let sort else { return entries }
        let ranked = entries.enumerated().map { index, entry in
            let rank =
                switch sort {
                case .age: -entry.ageSeconds
                case .rows: -Double(entry.rows ?? 0)
                case .size: -Double(entry.bytes)
                case .state: Double(FileState.allCases.firstIndex(of: entry.state) ?? 0)
                }
            return (rank: rank, index: index, entry: entry)
        }
        return ranked.sorted { ($0.rank, $0.index) < ($1.rank, $1.index) }.map(\.entry)
    }

    private func table(_ entries: [FileListing.Entry], isWide: Bool) -> TextTable {
        let hasSeveral = isWide || Set(entries.compactMap(\.destination)).count > 1
        func wide(_ title: String) -> String { isWide ? title : "" }
        var table = TextTable(
            ("ID", .name), ("STATE", .state), ("ROWS", .right), ("SIZE", .right), ("AGE", .right), ("TRIES", .right),
            (hasSeveral ? "DESTINATION" : "", .left), (wide("UPLOADED"), .left), (wide("NEXT TRY"), .left),
            (wide("SHA256"), .left), ("LAST ERROR", .left))
        for entry in entries {
            let error = entry.lastError.map { isWide ? HumanText.line("\($0.code): \($0.text)") : $0.code }
            table.add([
                entry.id, entry.state.rawValue, entry.rows.map { HumanText.grouped($0) } ?? "-",
                HumanText.bytes(entry.bytes), HumanText.duration(milliseconds: Int64(entry.ageSeconds * 1000)),
                "\(entry.attempts)", hasSeveral ? entry.destination ?? "-" : "", isWide ? entry.uploadedAt ?? "-" : "",
                isWide ? entry.nextTryAt ?? "-" : "", isWide ? entry.sha256 ?? "-" : "", error ?? "",
            ])
        }
        return table
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
