internal import ArgumentParser
internal import Configuration
internal import DiskIO
internal import Ship

/// `czctl purge`.
struct Purge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Free space: remove local copies of files that every destination has",
        discussion: """
            Only of uploaded files, the last delivery longer ago than --older-than; anything else is never removed. \
            What was given up at a destination counts as delivered where a configuration is known that does not name \
            it any more. \
            The upload API can then not ask for these files again. Works beside a running shipper. Exit codes: 0 done, \
            also when there was nothing to do; 5 the ledger is busy.

            Examples:
              czctl purge --uploaded --older-than 7d --data ./demo-data --dry-run
              czctl purge --uploaded --older-than 24h --yes --config config.yml
            """)

    @Flag(help: "Of files that are uploaded: the only ones that may go.")
    var uploaded = false

    @Option(help: "Since the last delivery, as 7d or 24h.")
    var olderThan: AgeArgument

    @Flag(help: "Only say what would be removed.")
    var dryRun = false

    @OptionGroup var confirmation: ConfirmationOptions
    @OptionGroup var target: DataOptions
    @OptionGroup var options: OutputOptions

    private static let chunk = 500

    func validate() throws {
        guard uploaded else { throw ValidationError("say --uploaded: no other files may be removed") }
        guard olderThan.milliseconds >= 0 else { throw ValidationError("--older-than cannot be negative") }
    }

    private struct Answer: Encodable {
        let schema = "czctl.purge/v1"
        let dryRun: Bool
        var files: [String] = []
        var bytes: UInt64 = 0
    }

    func run() async throws {
        let layout = try target.layout()
        let fileSystem = PosixFileSystem()
        // Uploads of this very millisecond are older than 0s too.
        let before = Clocks.system.wallMilliseconds() - olderThan.milliseconds + 1
        var answer = Answer(dryRun: dryRun)
        let configured = try target.knownSettings()?.destinations.map(\.name)
        do {
            let names =
                try await LedgerCopy.read(layout, fileSystem) { ledger throws(ShipError) in
                    try await ledger.purgeable(before: before, limit: .max, configured: configured)
                } ?? []
            for name in names {
                guard let status = try fileSystem.status("\(layout.uploaded)/\(name)") else { continue }
                answer.files.append(name)
                answer.bytes += status.byteCount
            }
            if !dryRun, !names.isEmpty {
                let count = answer.files.count
                try confirmation.require(
                    "remove the local copies of \(count) uploaded file\(count == 1 ? "" : "s")"
                        + " (\(HumanText.bytes(answer.bytes)))")
                let ledger = try Ledger.openExisting(layout, fileSystem)
                for start in stride(from: 0, to: names.count, by: Self.chunk) {
                    let part = Array(names[start..<min(start + Self.chunk, names.count)])
                    try await Self.remove(part, ledger, layout, fileSystem)
                }
            }
        } catch let error as ShipError {
            throw CommandFailure(error)
        }
        try show(answer)
    }

    /// As the shipper's retention does: the row says `purging` before the file goes, and `purged` when it is gone.
    private static func remove(
        _ files: [String], _ ledger: Ledger, _ layout: VolumeLayout, _ fileSystem: any FileSystem
    ) async throws {
        try await move(files, from: .uploaded, to: .purging, ledger)
        for row in try await ledger.list(.files(files)) where row.state == .purging {
            let path = "\(layout.uploaded)/\(row.file)"
            if try fileSystem.exists(path) { try fileSystem.remove(path) }
        }
        try fileSystem.syncDirectory(layout.uploaded)
        try await move(files, from: .purging, to: .purged, ledger)
    }

    private static func move(
        _ files: [String], from: ShipmentState, to: ShipmentState, _ ledger: Ledger
    ) async throws {
        for row in try await ledger.list(.files(files)) where row.state == from {
            do throws(ShipError) {
                try await ledger.move(
                    row.file, row.destination, from: from, to: to, at: Clocks.system.wallMilliseconds(), .none,
                    detail: "czctl purge")
            } catch {
                // Else the shipper purged it itself, or the server wants it again.
                guard error.reason == .movedMeanwhile else { throw error }
            }
        }
    }

    private func show(_ answer: Answer) throws {
        switch options.output {
        case .table:
            for file in answer.files { print(file) }
            let count = "\(answer.files.count) file\(answer.files.count == 1 ? "" : "s")"
            printError("\(dryRun ? "would remove" : "removed") \(count), \(HumanText.bytes(answer.bytes))")
        case .json: print(try options.encoded(answer))
        }
    }
}

/// `7d`, or a duration as everywhere.
struct AgeArgument: ExpressibleByArgument {
    let milliseconds: Int64

    private static let dayLimit: Int64 = 36_500

    init?(argument: String) {
        if argument.hasSuffix("d"), let days = Int64(argument.dropLast()) {
            guard (0...Self.dayLimit).contains(days) else { return nil }
            milliseconds = days * 86_400_000
        } else if let duration = DurationArgument(argument: argument)?.duration {
            milliseconds = Int64(duration / .milliseconds(1))
        } else {
            return nil
        }
    }
}
