import DiskIO
import Ship
import Testing

/// Not every destination takes every kind of file.
@Suite struct FileKindTests {
    let volume: TestVolume
    let transport = StubTransport(UploadServer.good)
    static let folder = DirectoryShippingTests.folder

    init() throws {
        volume = try TestVolume()
        try volume.fileSystem.publish(Array("key".utf8), at: volume.layout.root + "/key")
    }

    var api: DestinationOptions { .cloudZero(CloudZeroOptions(apiKeyPath: volume.layout.root + "/key")) }

    private func rows(_ shipper: TestShipper) async throws -> [String] {
        try await shipper.ledger.list(.all).map { "\($0.file.prefix { $0 != "_" }) \($0.destination) \($0.state)" }
            .sorted()
    }

    @Test func theUploadAPITakesSamplesAlone() async throws {
        let sample = try volume.addFile(1)
        let kinds = ["exemplars", "histograms", "metadata"]
        let others = try kinds.map { try volume.addFile(1, kind: $0) }
        let all = ([sample] + others).sorted()
        let delivered =
            kinds.map { "\($0) local uploaded" } + ["metrics cloudzero uploaded", "metrics local uploaded"]
        do {
            let shipper = try TestShipper(volume, [api, volume.directory], transport: transport)
            let report = await shipper.pass()
            #expect(report.uploaded == 5 && report.failures.isEmpty && report.unsent.files == 0)
            #expect(try await rows(shipper) == delivered)
            #expect(transport.puts.map(\.path) == ["\(UploadServer.host)/prefix/\(sample)"])
            #expect(try volume.names(volume.layout.outbox).isEmpty)
            #expect(try volume.names(volume.layout.uploaded) == all)
            #expect(try volume.names("\(volume.layout.shipped)/\(Self.folder)") == [sample])
            for (kind, file) in zip(kinds, others) {
                #expect(try volume.names("\(volume.layout.shipped)/\(kind)/\(Self.folder)") == [file])
            }
            #expect(try await shipper.service.unsent().files == 0)
        }
        // The ledger is lost, and comes back from the directories.
        try volume.fileSystem.remove(volume.layout.ledger)
        let clock = ManualClock()
        let shipper = try TestShipper(volume, [api, volume.directory], transport: transport, clock: clock)
        _ = await shipper.pass()
        #expect(try await rows(shipper) == delivered && transport.puts.count == 1)
        clock.advance(.seconds(2161 * 3600))
        #expect(await shipper.pass().purged == 4)
        #expect(try volume.names(volume.layout.uploaded).isEmpty)
    }

    @Test("what no destination takes stays, and goes to one that does")
    func staysUntilSomebodyTakesIt() async throws {
        let name = try volume.addFile(1, kind: "metadata")
        do {
            let shipper = try TestShipper(volume, [api], transport: transport)
            #expect(await shipper.pass().uploaded == 0)
            #expect(try volume.names(volume.layout.outbox) == [name])
            #expect(try await shipper.service.unsent().files == 1)
        }
        let shipper = try TestShipper(volume, [api, volume.directory], transport: transport)
        #expect(await shipper.pass().uploaded == 1 && transport.seen.isEmpty)
        #expect(try volume.names(volume.layout.outbox).isEmpty)
    }

    @Test("the rows that a destination is to have are samples")
    func samplesAreCounted() async throws {
        let shipper = try TestShipper(volume, [volume.directory])
        for (name, rows) in [("metrics_1", 5), ("observability_1", 7), ("histograms_1", 11), ("metadata_1", 13)] {
            let file = FoundFile(name: name, sampleMilliseconds: 1, byteCount: 1, rowCount: Int64(rows))
            _ = try await shipper.ledger.insert([file], "local", as: .purged, at: 0, detail: "test")
        }
        #expect(try await shipper.ledger.counts().map(\.rows) == [12])
        try await shipper.ledger.forgetPurged(before: 1, limit: 10)
        #expect(try await shipper.ledger.list(.all).isEmpty)
        let counts = try await shipper.ledger.counts()
        #expect(counts.map(\.rows) == [12] && counts.map(\.files) == [4])
    }
}
