internal import ArgumentParser
internal import Configuration
internal import Digest
internal import DiskIO
internal import Parquet
internal import Ship
internal import WAL

/// `czctl repair`.
struct Repair: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Set damage aside, so that the rest can go on; --dry-run says what would happen",
        discussion: """
            Does on a stopped volume what each start of the services does: damaged segments and manifests are copied \
            or moved to quarantine/, a damaged ledger is moved there and a new one made, whose rows come back from the \
            directories at the shipper's first cycle. Files whose bytes are not what their names say are quarantined \
            by the shipper before it would send them. Nothing is truncated or deleted, ever. Exit codes: 0 nothing \
            damaged, or repaired; 5 a service runs (it has repaired at its start); 7 damage found, with --dry-run.

            Examples:
              czctl repair --dry-run --config config.yml
              czctl repair --config config.yml
            """)

    @Flag(help: "Only say what is damaged and what would be done; also beside running services.")
    var dryRun = false

    @OptionGroup var volume: VolumeOptions
    @OptionGroup var options: OutputOptions

    private struct Answer: Encodable {
        struct Damage: Encodable {
            let path: String
            let cause: String
            let remedy: String
        }

        let schema = "czctl.repair/v1"
        let dryRun: Bool
        var damage: [Damage] = []
    }

    func run() async throws {
        let layout = try volume.layout()
        let answer = Answer(dryRun: dryRun, damage: try await survey(layout))
        if !dryRun, !answer.damage.isEmpty { try await repair(layout) }
        switch options.output {
        case .json: print(try options.encoded(answer))
        case .table:
            for damage in answer.damage {
                print(
                    "\(damage.path): \(HumanText.line(damage.cause))\n  \(dryRun ? "would be" : "is") \(damage.remedy)")
            }
            print("\(answer.damage.count) damaged")
        }
        if dryRun, !answer.damage.isEmpty {
            throw CommandFailure(
                .damage, "\(answer.damage.count) damaged",
                try: "czctl repair, or start the service, which does the same")
        }
    }

    private func survey(_ layout: VolumeLayout) async throws -> [Answer.Damage] {
        let fileSystem = PosixFileSystem()
        var found: [Answer.Damage] = []
        let log = try LogSurvey(layout, in: fileSystem, live: nil)
        for name in log.damagedManifests {
            found.append(
                .init(
                    path: "\(layout.wal)/\(name)", cause: "neither of its copies is whole",
                    remedy: "moved to quarantine/; nothing in staging/ is removed"))
        }
        let directory = SegmentDirectory(layout.wal, in: fileSystem)
        for segment in log.segments where segment.state != .kept {
            do {
                var scanner = try SegmentScanner(
                    segment.id, statedEnding: try directory.statedEnding(of: segment.id), directory: directory,
                    in: fileSystem)
                for range in try scanner.scan({ _ in }).damage {
                    found.append(
                        .init(
                            path: directory.path(of: segment.id),
                            cause: "bytes \(range.start) to \(range.end) are damaged",
                            remedy: "copied to quarantine/; the rest is used"))
                }
            } catch let error as IOError where error.isNotFound {
                continue  // compacted meanwhile
            }
        }
        do {
            _ = try await LedgerCopy.read(layout, fileSystem) { ledger throws(ShipError) in try await ledger.counts() }
        } catch let error as ShipError where error.reason == .damagedLedger {
            found.append(
                .init(path: layout.ledger, cause: error.cause, remedy: "moved to quarantine/, and a new one made"))
        } catch let error as ShipError {
            throw CommandFailure(error)
        }
        guard try fileSystem.exists(layout.outbox) else { return found }
        for name in try fileSystem.list(layout.outbox) {
            guard let id = ReferenceID(name), let cause = try Self.damage(of: id, in: layout.outbox, fileSystem) else {
                continue
            }
            found.append(
                .init(
                    path: "\(layout.outbox)/\(name)", cause: cause,
                    remedy: "left; the shipper moves it to quarantine/ before it would send it"))
        }
        return found
    }

    /// Why a file is not what its name says.
    private static func damage(
        of id: ReferenceID, in folder: String, _ fileSystem: any FileSystem
    ) throws -> String? {
        do {
            let found = hex(try OpenedFile("\(folder)/\(id)", in: fileSystem).sha256())
            return found.hasPrefix(id.hash) ? nil : "its SHA-256 is \(found)"
        } catch let error as IOError where error.isNotFound {
            return nil  // shipped meanwhile
        }
    }

    private func repair(_ layout: VolumeLayout) async throws {
        for lock in [layout.collectorLock, layout.shipperLock] where DirectoryLock.isHeld(lock) {
            throw CommandFailure(
                .temporary,
                "cannot repair \(layout.root): a service holds \(lock); it repaired what it found at its start",
                try: "restart the service")
        }
        let settings = try volume.load(.collector)
        let environment = try ServiceEnvironment(settings: settings, role: "repair", component: .collector)
        let service = try await Service.start(environment, role: .collector, listens: false)
        try await service.stop()
        do {
            try layout.makeShipperDirectories(in: environment.fileSystem)
            let lock = try DirectoryLock(layout.shipperLock, owner: environment.owner)
            let opened = try Ledger.open(
                layout, environment.fileSystem, wallMilliseconds: environment.clocks.wallMilliseconds())
            if let setAside = opened.setAside { printError("czctl: \(setAside)") }
            withExtendedLifetime(lock) {}
        } catch let error as ShipError {
            throw CommandFailure(error)
        }
    }
}
