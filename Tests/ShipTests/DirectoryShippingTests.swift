import DiskIO
import Metrics
import Parquet
import Ship
import Testing

@Suite struct DirectoryShippingTests {
    static let folder = "dt=2025-07-01/hr=20"

    @Test func deliversOnceAndRetires() async throws {
        let volume = try TestVolume()
        let names = try (0..<7).map { try volume.addFile($0) }
        let shipper = try TestShipper(volume, [volume.directory])
        let report = await shipper.pass()
        #expect(report.discovered == 7 && report.uploaded == 7 && report.failures.isEmpty && report.unsent.files == 0)
        #expect(try volume.names("\(volume.layout.shipped)/\(Self.folder)") == names.sorted())
        #expect(try volume.text("\(volume.layout.shipped)/\(Self.folder)/\(names[3])") == "parquet number 3")
        #expect(try volume.names(volume.layout.outbox).isEmpty)
        #expect(try volume.names(volume.layout.uploaded) == names.sorted())
        #expect(try await shipper.states("local") == [ShipmentState](repeating: .uploaded, count: 7))
        let second = await shipper.pass()
        #expect(second.discovered == 0 && second.uploaded == 0)
    }

    @Test func eachKindHasAFolder() async throws {
        let volume = try TestVolume()
        let name = try volume.addFile(1)
        let shipper = try TestShipper(
            volume, [.directory(name: "local", path: volume.layout.shipped, hive: true, byKind: true)])
        #expect(await shipper.pass().uploaded == 1)
        #expect(try volume.names("\(volume.layout.shipped)/metrics/\(Self.folder)") == [name])
    }

    @Test func aNameThatComesBackIsMovedOnWithoutACopy() async throws {
        let volume = try TestVolume()
        let name = try volume.addFile(1)
        let shipper = try TestShipper(volume, [volume.directory])
        _ = await shipper.pass()
        // A power cut undid the rename to uploaded/, and the destination shows whether anything is written again.
        try volume.fileSystem.rename("\(volume.layout.uploaded)/\(name)", to: "\(volume.layout.outbox)/\(name)")
        try volume.fileSystem.remove("\(volume.layout.shipped)/\(Self.folder)/\(name)")
        let report = await shipper.pass()
        #expect(report.uploaded == 0 && report.discovered == 0)
        #expect(try volume.names(volume.layout.uploaded) == [name])
        #expect(try volume.names("\(volume.layout.shipped)/\(Self.folder)").isEmpty)
    }

    @Test func aCrashBetweenTheRenameAndTheRowIsHarmless() async throws {
        let volume = try TestVolume()
        let name = try volume.addFile(1)
        do {
            let shipper = try TestShipper(volume, [volume.directory])
            _ = await shipper.pass()
        }
        // As if the process had died after the rename at the destination: row uploading, file in outbox.
        try volume.fileSystem.rename("\(volume.layout.uploaded)/\(name)", to: "\(volume.layout.outbox)/\(name)")
        try RawDatabase(volume.layout.ledger).run("UPDATE shipment SET state='uploading', uploaded_ms=NULL")
        try RawDatabase(volume.layout.ledger).run("DELETE FROM destination")
        let shipper = try TestShipper(volume, [volume.directory])
        let report = await shipper.pass()
        #expect(report.uploaded == 1 && report.failures.isEmpty)
        #expect(try volume.names("\(volume.layout.shipped)/\(Self.folder)") == [name])
        #expect(try await shipper.ledger.destinations().first?.filesUploaded == 1)
        #expect(try volume.names(volume.layout.uploaded) == [name])
    }

    @Test func aHalfCopyIsReplaced() async throws {
        let volume = try TestVolume()
        let name = try volume.addFile(1)
        for path in ["/shipped", "/shipped/dt=2025-07-01", "/shipped/\(Self.folder)"] {
            try volume.fileSystem.makeDirectory(volume.layout.root + path)
        }
        try volume.fileSystem.publish([1, 2, 3], at: "\(volume.layout.shipped)/\(Self.folder)/.\(name).tmp")
        _ = await (try TestShipper(volume, [volume.directory])).pass()
        #expect(try volume.names("\(volume.layout.shipped)/\(Self.folder)") == [name])
    }

    @Test func otherBytesUnderTheNameAreAClearFailureAndStopNothingElse() async throws {
        let volume = try TestVolume()
        let names = try (0..<3).map { try volume.addFile($0) }
        let taken = "\(volume.layout.shipped)/\(names[1])"
        try volume.fileSystem.makeDirectory(volume.layout.shipped)
        try volume.fileSystem.publish(Array("other".utf8), at: taken)
        let shipper = try TestShipper(volume, [.directory(name: "local", path: volume.layout.shipped, hive: false)])
        let report = await shipper.pass()
        #expect(report.uploaded == 2 && report.failed == 1)
        #expect(try volume.text(taken) == "other")
        let row = try #require(try await shipper.ledger.row(names[1], "local"))
        #expect(row.state == .failed && row.lastError?.code == "err-file-create" && row.attempts == 1)
        #expect(try volume.names(volume.layout.outbox) == [names[1]])
        // The operator moves it away and retries.
        try volume.fileSystem.remove(taken)
        #expect(await shipper.pass().uploaded == 0, "the back-off is not over")
        _ = try await shipper.ledger.retry(.files([names[1]]), dryRun: false, at: shipper.clock.wall)
        #expect(await shipper.pass().uploaded == 1)
    }

    @Test func damagedBytesAreQuarantinedNeverShipped() async throws {
        let volume = try TestVolume()
        let bad = try volume.addFile(1)
        let good = try volume.addFile(2)
        let whole = try volume.bytes("\(volume.layout.outbox)/\(bad)")
        try volume.overwrite("\(volume.layout.outbox)/\(bad)", [0xFF], at: 3)
        let shipper = try TestShipper(volume, [volume.directory])
        let report = await shipper.pass()
        #expect(report.quarantined == 1 && report.uploaded == 1)
        #expect(try volume.names(volume.layout.quarantine) == [bad])
        #expect(try volume.names("\(volume.layout.shipped)/\(Self.folder)") == [good])
        #expect(try await shipper.ledger.row(bad, "local")?.state == .quarantined)
        // Retried while still damaged: back to quarantine. Repaired: shipped.
        _ = try await shipper.ledger.retry(.files([bad]), dryRun: false, at: shipper.clock.wall)
        #expect(await shipper.pass().quarantined == 1)
        try volume.overwrite("\(volume.layout.quarantine)/\(bad)", whole)
        _ = try await shipper.ledger.retry(.states([.quarantined]), dryRun: false, at: shipper.clock.wall)
        #expect(await shipper.pass().uploaded == 1)
        #expect(try volume.names(volume.layout.quarantine).isEmpty)
    }

    @Test func everyDestinationBeforeAFileLeaves() async throws {
        let volume = try TestVolume()
        let name = try volume.addFile(1)
        let blocked = volume.layout.root + "/blocked"
        try volume.fileSystem.publish([1], at: blocked)
        let destinations = [volume.directory, .directory(name: "b", path: blocked + "/x", hive: false)]
        let shipper = try TestShipper(volume, destinations) { $0.maxRetries = 1 }
        let report = await shipper.pass()
        #expect(report.uploaded == 1 && report.failed == 1 && report.unsent.files == 1)
        #expect(try volume.names(volume.layout.outbox) == [name])
        try volume.fileSystem.remove(blocked)
        #expect(await shipper.service.pass(ignoringBackOff: true).uploaded == 1)
        #expect(try volume.names(volume.layout.outbox).isEmpty)
        #expect(try volume.names(blocked + "/x") == [name])
    }

    @Test func strangersAreLeftAloneAndReported() async throws {
        let volume = try TestVolume()
        let strangers = [
            "a.tmp", "metrics_1_2.parquet", "metrics_2_1_00000000000000000000000000000000.parquet", "x.json.br",
        ]
        for name in strangers { try volume.fileSystem.publish([1], at: "\(volume.layout.outbox)/\(name)") }
        let report = await (try TestShipper(volume, [volume.directory])).pass()
        #expect(report.ignoredNames == strangers.sorted() && report.discovered == 0)
        #expect(try volume.names(volume.layout.outbox) == strangers.sorted())
    }

    @Test func aLostLedgerIsRebuiltFromTheDirectories() async throws {
        let volume = try TestVolume()
        let shipped = try volume.addFile(1)
        do { _ = await (try TestShipper(volume, [volume.directory])).pass() }
        let waiting = try volume.addFile(2)
        try volume.fileSystem.remove(volume.layout.ledger)
        try volume.fileSystem.remove("\(volume.layout.shipped)/\(Self.folder)/\(shipped)")
        let shipper = try TestShipper(volume, [volume.directory])
        let report = await shipper.pass()
        #expect(report.uploaded == 1)
        #expect(try volume.names("\(volume.layout.shipped)/\(Self.folder)") == [waiting], "what was uploaded stays so")
        #expect(try await shipper.states("local") == [.uploaded, .uploaded])
        #expect(try await shipper.ledger.destinations().first?.filesUploaded == 2)
    }

    @Test func deliveredFilesGoAfterTheirRetentionUndeliveredNever() async throws {
        let volume = try TestVolume()
        let name = try volume.addFile(1)
        let shipper = try TestShipper(volume, [volume.directory]) { $0.uploadedRetention = .seconds(3_600) }
        _ = await shipper.pass()
        shipper.clock.advance(.seconds(3_599))
        #expect(await shipper.pass().purged == 0)
        shipper.clock.advance(.seconds(2))
        #expect(await shipper.pass().purged == 1)
        #expect(try volume.names(volume.layout.uploaded).isEmpty)
        #expect(try await shipper.states("local") == [.purged])
        // The name again, by whatever way: moved on, not sent.
        try volume.addFile(1)
        #expect(await shipper.pass().uploaded == 0)
        #expect(try volume.names(volume.layout.uploaded) == [name])
    }

    @Test func lazyRetentionWaitsUntilSpaceIsShort() async throws {
        let volume = try TestVolume()
        for number in 0..<20 { try volume.addFile(number, bytes: [UInt8](repeating: UInt8(number), count: 100 << 10)) }
        let shipper = try TestShipper(volume, [volume.directory]) {
            $0.uploadedRetention = .seconds(60)
            $0.purgesLazily = true
            $0.availableStorageBytes = 8 << 20
        }
        _ = await shipper.pass()
        shipper.clock.advance(.seconds(3_600))
        #expect(await shipper.pass().purged == 0, "a quarter of the space is used")
        var options = shipper.options
        options.availableStorageBytes = 2_700 << 10  // three quarters are used
        shipper.service.apply(options)
        #expect(await shipper.pass().purged == 20)
    }

    @Test(arguments: [(2_350, 4), (2_150, 10)])
    func nearlyFullTheOldestDeliveredFilesGo(kibibytes: UInt64, gone: Int) async throws {
        let volume = try TestVolume()
        let names = try (0..<20).map {
            try volume.addFile($0, bytes: [UInt8](repeating: UInt8($0), count: 100 << 10))
        }
        let blocked = volume.layout.root + "/blocked"
        let shipper = try TestShipper(volume, [volume.directory]) { $0.availableStorageBytes = kibibytes << 10 }
        let report = await shipper.pass()
        #expect(report.purged == gone)
        #expect(try volume.names(volume.layout.uploaded) == names.dropFirst(gone).sorted(), "the oldest go")
        // What is not delivered stays, however full it is.
        let kept = try volume.addFile(99, bytes: [UInt8](repeating: 99, count: 900 << 10))
        try volume.fileSystem.publish([1], at: blocked)
        let destination = DestinationOptions.directory(name: "local", path: blocked + "/x", hive: false)
        var options = shipper.options
        options.destinations = [destination]
        options.maxRetries = 0
        shipper.service.apply(options)
        _ = await shipper.pass()
        #expect(try volume.names(volume.layout.outbox) == [kept])
    }

    @Test func rowsOfPurgedFilesAreForgottenAndTheirSumsStay() async throws {
        let volume = try TestVolume()
        try volume.addFile(1)
        let shipper = try TestShipper(volume, [volume.directory]) { $0.uploadedRetention = .seconds(60) }
        _ = await shipper.pass()
        shipper.clock.advance(.seconds(61))
        _ = await shipper.pass()
        shipper.clock.advance(.seconds(90 * 86_400 + 1))
        _ = await shipper.pass()
        #expect(try await shipper.ledger.list(.all).isEmpty)
        let counts = try await shipper.ledger.counts()
        #expect(counts.map(\.files) == [1] && counts.map(\.state) == [.purged] && counts.map(\.bytes) == [16])
    }

    @Test func whatOneDestinationLacksOutlivesAnyRetention() async throws {
        let volume = try TestVolume()
        let name = try volume.addFile(1)
        let blocked = volume.layout.root + "/blocked"
        try volume.fileSystem.publish([1], at: blocked)
        let destinations = [volume.directory, .directory(name: "b", path: blocked + "/x", hive: false)]
        let shipper = try TestShipper(volume, destinations) {
            $0.maxRetries = 0
            $0.uploadedRetention = .seconds(60)
        }
        _ = await shipper.pass()
        shipper.clock.advance(.seconds(86_400))
        #expect(await shipper.pass().purged == 0)
        #expect(try volume.names(volume.layout.outbox) == [name])
    }

    @Test func theShareThatGoesIsOfFilesHoweverManyDestinationsHaveThem() async throws {
        let volume = try TestVolume()
        for number in 0..<20 { try volume.addFile(number, bytes: [UInt8](repeating: UInt8(number), count: 100 << 10)) }
        let destinations = [
            volume.directory, .directory(name: "b", path: volume.layout.root + "/b", hive: false),
        ]
        let shipper = try TestShipper(volume, destinations) { $0.availableStorageBytes = 2_350 << 10 }
        #expect(await shipper.pass().purged == 4)
    }

    @Test func rowsComeFromTheFooter() async throws {
        let volume = try TestVolume()
        let schema = Schema(root: "r", columns: [Column("x", .int64, .plain)])
        var writer = try ParquetWriter(schema: schema, options: WriterOptions(createdBy: "test"), sink: MemoryFile())
        try writer.write(rowGroup: [.int64([1, 2, 3])])
        try volume.addFile(1, bytes: try writer.finish(keyValues: []).sink.bytes)
        try volume.addFile(2)
        let blocked = DestinationOptions.directory(name: "b", path: volume.layout.outbox + "/no/such", hive: false)
        let shipper = try TestShipper(volume, [volume.directory, blocked]) { $0.maxRetries = 0 }
        try volume.fileSystem.publish([1], at: volume.layout.outbox + "/no")
        let report = await shipper.pass()
        #expect(report.unsent.files == 2 && report.unsent.rows == 3)
        #expect(try await shipper.ledger.destinations().first { $0.name == "local" }?.rowsUploaded == 3)
        #expect(shipper.registry.exposition().contains("cirrus_unsent_rows 3"))
    }

    @Test func aSecondShipperIsRefused() throws {
        let volume = try TestVolume()
        let first = try TestShipper(volume, [volume.directory])
        let error = #expect(throws: ShipError.self) { try TestShipper(volume, [volume.directory]) }
        #expect(error?.reason == .alreadyRunning)
        _ = first
    }

    @Test func optionsThatCannotWorkAreAllNamed() throws {
        let volume = try TestVolume()
        let error = #expect(throws: ShipError.self) {
            try TestShipper(volume, []) {
                $0.uploadWidth = 0
                $0.maxRetries = -1
            }
        }
        for word in ["destination", "width", "retries"] { #expect(error?.cause.contains(word) == true) }
    }

    @Test func runEndsWhenStopped() async throws {
        let volume = try TestVolume()
        try volume.addFile(1)
        let shipper = try TestShipper(volume, [volume.directory])
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await shipper.service.run() }
            while shipper.service.lastReport == nil { await Task.yield() }
            shipper.service.stop()
        }
        #expect(shipper.lines.all.contains { $0.contains("Shipper service starting") })
        #expect(shipper.lines.all.contains { $0.contains("Successfully ran the shipper cycle") })
        #expect(shipper.metrics.shutdowns.value == 1)
    }

    @Test func metricsStandAtZeroAndThenCount() async throws {
        let volume = try TestVolume()
        try volume.addFile(1)
        let shipper = try TestShipper(volume, [volume.directory])
        let before = shipper.registry.exposition()
        for line in [
            "shipper_file_upload_error_total{error_status_code=\"err-unauthorized\"} 0", "cirrus_unsent_files 0",
            "cirrus_ship_last_success_timestamp_seconds{destination=\"directory\"} 0", "shipper_replay_request_total 0",
        ] { #expect(before.contains(line), "\(line)") }
        _ = await shipper.pass()
        let after = shipper.registry.exposition()
        #expect(after.contains("cirrus_uploaded_files_total 1"))
        #expect(after.contains("cirrus_ship_last_success_timestamp_seconds{destination=\"directory\"} 1782936000"))
        #expect(after.contains("shipper_disk_current_sent_file 1"))
    }
}
