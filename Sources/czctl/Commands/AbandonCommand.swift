internal import ArgumentParser
internal import Configuration
internal import DiskIO
internal import Ship

/// `czctl abandon`.
struct Abandon: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give files up: they are not sent any more, and kept in abandoned/",
        discussion: """
            The upload API is told the reason in the shipper's next cycle, and the files are moved to abandoned/, from \
            where czctl retry puts them back. Files that are delivered, or on their way at this moment, are left. \
            Their rows are missing upstream: the data of these hours is not billed. Exit codes: 0 done, also when \
            there was nothing to do; 4 when an id or the destination is not found (then nothing was changed).

            Examples:
              czctl abandon ID --reason "wrong account" --data ./demo-data
              czctl abandon --destination old-lake --reason "no such lake" --dry-run
              czctl files list --state quarantined -o name | xargs czctl abandon --yes --reason damaged
            """)

    enum State: String, ExpressibleByArgument, CaseIterable {
        case failed, quarantined
    }

    @Argument(help: "Ids of files, as files list shows them.", completion: FileIDs.completion)
    var ids: [String] = []

    @Option(name: .customLong("state"), help: "All files in this state: failed or quarantined; repeatable.")
    var states: [State] = []

    @Option(help: "Only at this destination; without ids and --state, all files that wait for it.")
    var destination: String?

    @Option(help: "Why: kept in the ledger, and told to the upload API.")
    var reason: String

    @Flag(help: "Only say what would be given up.")
    var dryRun = false

    @OptionGroup var confirmation: ConfirmationOptions
    @OptionGroup var target: DataOptions
    @OptionGroup var options: OutputOptions

    private static let reasonByteLimit = 500

    func validate() throws {
        guard ids.isEmpty || states.isEmpty, !ids.isEmpty || !states.isEmpty || destination != nil else {
            throw ValidationError("give ids, or --state, or --destination")
        }
        guard (1...Self.reasonByteLimit).contains(reason.utf8.count) else {
            throw ValidationError("--reason must have 1 to \(Self.reasonByteLimit) bytes")
        }
    }

    private var filter: ShipmentFilter {
        if !ids.isEmpty { return .files(ids) }
        if states.isEmpty { return .states(Set(ShipmentState.allCases.filter(\.isUnsent))) }
        return .states(Set(states.map { $0 == .failed ? .failed : .quarantined }))
    }

    func run() async throws {
        let layout = try target.layout()
        let fileSystem = PosixFileSystem()
        let rows: [Shipment]
        do {
            try await FileIDs.require(ids, layout, fileSystem, to: "abandon")
            try await FileIDs.require(destination, layout, fileSystem, to: "abandon")
            let candidates =
                try await LedgerCopy.read(layout, fileSystem) { ledger throws(ShipError) in
                    try await ledger.abandon(
                        filter, only: destination, reason: reason, told: [], dryRun: true, at: 0)
                } ?? []
            if dryRun || candidates.isEmpty {
                rows = candidates
            } else {
                let count = Set(candidates.map(\.file)).count
                let place = destination.map { " at \($0)" } ?? ""
                try confirmation.require("give up \(count) file\(count == 1 ? "" : "s")\(place) for good")
                rows = try await Ledger.openExisting(layout, fileSystem).abandon(
                    filter, only: destination, reason: reason, told: try told(), dryRun: false,
                    at: Clocks.system.wallMilliseconds())
            }
        } catch let error as ShipError {
            throw CommandFailure(error)
        }
        let isWoken = dryRun || rows.isEmpty ? false : await LiveServices.wakeShipper(layout)
        try show(rows, isWoken: isWoken)
    }

    /// Destinations that are upload APIs. Without a configuration, the one by its usual name.
    private func told() throws -> Set<String> {
        guard let destinations = try target.knownSettings()?.destinations else {
            return [DestinationKind.cloudzero.rawValue]
        }
        return Set(destinations.filter { $0.kind == .cloudzero }.map(\.name))
    }

    private struct Answer: Encodable {
        struct File: Encodable {
            let id: String
            let destination: String
            /// Before.
            let state: FileState
        }

        let schema = "czctl.abandon/v1"
        let dryRun: Bool
        let reason: String
        let files: [File]
        /// Whether a running shipper was told.
        let shipperWoken: Bool
    }

    private func show(_ rows: [Shipment], isWoken: Bool) throws {
        switch options.output {
        case .table:
            for row in rows {
                print("\(row.file)  \(row.destination)  \(FileState(row.state).rawValue) -> abandoned")
            }
            let count = "\(rows.count) file\(rows.count == 1 ? "" : "s")"
            let then = isWoken ? "; the shipper is at it" : rows.isEmpty || dryRun ? "" : "; no shipper runs here"
            printError(dryRun ? "would give up \(count)" : "gave up \(count)\(then)")
        case .json:
            let files = rows.map {
                Answer.File(id: $0.file, destination: $0.destination, state: FileState($0.state))
            }
            print(try options.encoded(Answer(dryRun: dryRun, reason: reason, files: files, shipperWoken: isWoken)))
        }
    }
}
