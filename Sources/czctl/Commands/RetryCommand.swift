internal import ArgumentParser
internal import DiskIO
internal import Ship

/// `czctl retry`.
struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put failed, abandoned or quarantined files back in the queue",
        discussion: """
            Clears the back-off and wakes a running shipper; a quarantined file is checked again before it is sent. \
            Files in other states are left. Exit codes: 0 done, also when there was nothing to do; 4 when an id is not \
            found (then nothing was changed).

            Examples:
              czctl retry --state failed --data ./demo-data
              czctl files list --state failed -o name | xargs czctl retry --dry-run
            """)

    enum State: String, ExpressibleByArgument, CaseIterable {
        case failed, abandoned, quarantined

        var shipmentState: ShipmentState {
            switch self {
            case .failed: .failed
            case .abandoned: .abandoned
            case .quarantined: .quarantined
            }
        }
    }

    @Argument(help: "Ids of files, as files list shows them.", completion: FileIDs.completion)
    var ids: [String] = []

    @Option(name: .customLong("state"), help: "All files in this state: failed, abandoned or quarantined; repeatable.")
    var states: [State] = []

    @Flag(help: "All failed, abandoned and quarantined files.")
    var all = false

    @Flag(help: "Only say what would be put back.")
    var dryRun = false

    @OptionGroup var target: DataOptions
    @OptionGroup var options: OutputOptions

    func validate() throws {
        let given = [!ids.isEmpty, !states.isEmpty, all].filter(\.self).count
        guard given == 1 else { throw ValidationError("give ids, or --state, or --all") }
    }

    private var filter: ShipmentFilter {
        if all { return .all }
        return ids.isEmpty ? .states(Set(states.map(\.shipmentState))) : .files(ids)
    }

    func run() async throws {
        let layout = try target.layout()
        let fileSystem = PosixFileSystem()
        let rows: [Shipment]
        do {
            try await FileIDs.require(ids, layout, fileSystem, to: "retry")
            rows = try await putBack(layout, fileSystem)
        } catch let error as ShipError {
            throw CommandFailure(error)
        }
        let isWoken = dryRun || rows.isEmpty ? false : await LiveServices.wakeShipper(layout)
        try show(rows, isWoken: isWoken)
    }

    /// The rows as they were. Where no shipper ever ran there is nothing to put back.
    private func putBack(_ layout: VolumeLayout, _ fileSystem: any FileSystem) async throws -> [Shipment] {
        if dryRun {
            return try await LedgerCopy.read(layout, fileSystem) { ledger throws(ShipError) in
                try await ledger.retry(filter, dryRun: true, at: 0)
            } ?? []
        }
        guard try fileSystem.exists(layout.ledger) else { return [] }
        return try await Ledger.openExisting(layout, fileSystem)
            .retry(filter, dryRun: false, at: Clocks.system.wallMilliseconds())
    }

    private struct Answer: Encodable {
        struct File: Encodable {
            let id: String
            let destination: String
            /// Before.
            let state: FileState
        }

        let schema = "czctl.retry/v1"
        let dryRun: Bool
        let files: [File]
        /// Whether a running shipper was told.
        let shipperWoken: Bool
    }

    private func show(_ rows: [Shipment], isWoken: Bool) throws {
        switch options.output {
        case .table:
            for row in rows { print("\(row.file)  \(row.destination)  \(FileState(row.state).rawValue) -> ready") }
            let count = "\(rows.count) file\(rows.count == 1 ? "" : "s")"
            let then = isWoken ? "; the shipper is at it" : rows.isEmpty || dryRun ? "" : "; no shipper runs here"
            printError(dryRun ? "would put back \(count)" : "put back \(count)\(then)")
        case .json:
            let files = rows.map {
                Answer.File(id: $0.file, destination: $0.destination, state: FileState($0.state))
            }
            print(try options.encoded(Answer(dryRun: dryRun, files: files, shipperWoken: isWoken)))
        }
    }
}
