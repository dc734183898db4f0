import DiskIO
import Ship
import Testing

/// Files of destinations that the configuration does not name any more.
@Suite struct FormerDestinationTests {
    let volume: TestVolume
    let blocked: DestinationOptions
    private static let retention = Duration.seconds(60)

    init() throws {
        volume = try TestVolume()
        let path = volume.layout.root + "/blocked"
        try volume.fileSystem.publish([1], at: path)
        blocked = .directory(name: "former", path: path + "/x", hive: false)
    }

    private func shipper(_ destinations: [DestinationOptions]) throws -> TestShipper {
        try TestShipper(volume, destinations) {
            $0.maxRetries = 0
            $0.uploadedRetention = Self.retention
        }
    }

    @Test func whatAFormerDestinationAloneHasGoesAsOthersDo() async throws {
        let name = try volume.addFile(1)
        do {
            let shipper = try shipper([volume.directory])
            #expect(await shipper.pass().uploaded == 1)
        }
        let other = DestinationOptions.directory(name: "b", path: volume.layout.root + "/b", hive: false)
        let shipper = try shipper([other])
        #expect(await shipper.pass().purged == 0)
        #expect(try volume.names(volume.layout.uploaded) == [name])
        shipper.clock.advance(Self.retention + .seconds(1))
        #expect(await shipper.pass().purged == 1)
        #expect(try volume.names(volume.layout.uploaded).isEmpty)
        #expect(try await shipper.states("local") == [.purged])
        #expect(shipper.lines.all.allSatisfy { !$0.contains("lacks") })
    }

    @Test func itGoesBeforeItsTimeWhenSpaceIsShort() async throws {
        try volume.addFile(1, bytes: [UInt8](repeating: 1, count: 900 << 10))
        do {
            let shipper = try shipper([volume.directory])
            #expect(await shipper.pass().uploaded == 1)
        }
        let other = DestinationOptions.directory(name: "b", path: volume.layout.root + "/b", hive: false)
        let shipper = try TestShipper(volume, [other]) { $0.availableStorageBytes = 1 << 20 }
        #expect(await shipper.pass().purged == 1)
    }

    @Test func whatAFormerDestinationLacksIsKeptAndSaidUntilItIsGivenUp() async throws {
        let name = try volume.addFile(1)
        do {
            let shipper = try shipper([volume.directory, blocked])
            #expect(await shipper.pass().unsent.files == 1)
        }
        let shipper = try shipper([volume.directory])
        #expect(await shipper.pass().unsent.files == 0, "a drain does not wait for it")
        #expect(try await shipper.service.unsent().files == 0)
        shipper.clock.advance(.seconds(86_400))
        #expect(await shipper.pass().purged == 0)
        #expect(try volume.names(volume.layout.uploaded) == [name])
        #expect(try await shipper.ledger.purgeable(before: .max, limit: .max).isEmpty)
        #expect(try await shipper.ledger.unsent().files == 1)
        #expect(try await shipper.states("former") == [.failed])
        let said = shipper.lines.all.filter { $0.contains("former") && $0.contains("czctl abandon") }
        #expect(said.count == 2, "once a cycle")

        let given = try await shipper.ledger.abandon(
            .files([name]), reason: "no such lake", told: [], dryRun: false, at: shipper.clock.wall)
        #expect(given.map(\.destination) == ["former"])
        #expect(await shipper.pass().purged == 1)
        #expect(try volume.names(volume.layout.uploaded).isEmpty)
        #expect(try await shipper.states("former") == [.abandoned])
        #expect(try await shipper.states("local") == [.purged])
    }

    @Test func whatWasCutThereCanBeGivenUp() async throws {
        let name = try volume.addFile(1)
        do {
            let shipper = try shipper([volume.directory, blocked])
            _ = await shipper.pass()
            // As a kill in the middle of a copy leaves it.
            try await shipper.ledger.move(
                name, "former", from: .failed, to: .uploading, at: shipper.clock.wall, .attempt, detail: "")
        }
        let shipper = try shipper([volume.directory])
        _ = await shipper.pass()
        #expect(try await shipper.states("former") == [.failed])
        #expect(try await shipper.ledger.history(name, "former").last?.detail.contains("not configured") == true)
        let given = try await shipper.ledger.abandon(
            .files([name]), reason: "no such lake", told: [], dryRun: false, at: shipper.clock.wall)
        #expect(given.map(\.destination) == ["former"])
        shipper.clock.advance(.seconds(86_400))
        #expect(await shipper.pass().purged == 1)
    }

    @Test func whatIsGivenUpAtADestinationOfTheConfigurationStays() async throws {
        let name = try volume.addFile(1)
        let shipper = try shipper([volume.directory, blocked])
        _ = await shipper.pass()
        _ = try await shipper.ledger.abandon(
            .files([name]), reason: "no such lake", told: [], dryRun: false, at: shipper.clock.wall)
        shipper.clock.advance(.seconds(86_400))
        #expect(await shipper.pass().purged == 0)
        #expect(try volume.names(volume.layout.abandoned) == [name])
    }

    @Test("one that comes back gets what was kept for it")
    func comesBack() async throws {
        let name = try volume.addFile(1)
        do {
            let shipper = try shipper([volume.directory, blocked])
            _ = await shipper.pass()
        }
        do {
            let shipper = try shipper([volume.directory])
            shipper.clock.advance(.seconds(86_400))
            _ = await shipper.pass()
        }
        try volume.fileSystem.remove(volume.layout.root + "/blocked")
        let shipper = try shipper([volume.directory, blocked])
        shipper.clock.advance(.seconds(2 * 86_400))
        #expect(await shipper.pass().uploaded == 1)
        #expect(try volume.names(volume.layout.root + "/blocked/x") == [name])
    }
}
