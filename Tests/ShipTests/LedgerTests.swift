import CSQLite
import DiskIO
import Glibc
import Ship
import Testing

@Suite struct LedgerTests {
    let volume: TestVolume

    init() throws { volume = try TestVolume() }

    static func file(_ name: String, rows: Int64? = 10) -> FoundFile {
        FoundFile(name: name, sampleMilliseconds: 1, byteCount: 100, rowCount: rows)
    }

    static func open(_ volume: TestVolume) throws -> Ledger {
        try Ledger.open(volume.layout, volume.fileSystem, wallMilliseconds: 7).ledger
    }

    @Test func aMoveHappensOnceAndOnlyFromItsState() async throws {
        let ledger = try Self.open(volume)
        #expect(
            try await ledger.insert([Self.file("a"), Self.file("a")], "d", as: .discovered, at: 1, detail: "x") == 1)
        try await ledger.move("a", "d", from: .discovered, to: .uploading, at: 2, .attempt, detail: "")
        let error = await #expect(throws: ShipError.self) {
            try await ledger.move("a", "d", from: .discovered, to: .uploading, at: 3, .attempt, detail: "")
        }
        #expect(error?.reason == .movedMeanwhile)
        let row = try #require(try await ledger.row("a", "d"))
        #expect(row.state == .uploading && row.attempts == 1 && row.changedMilliseconds == 2)
        #expect(try await ledger.history("a", "d").map(\.to) == ["discovered", "uploading"])
    }

    @Test func aRowThatAnotherProcessMovedHoldsUpNoOther() async throws {
        let ledger = try Self.open(volume)
        _ = try await ledger.insert([Self.file("a"), Self.file("b")], "d", as: .discovered, at: 1, detail: "")
        let rows = try await ledger.list(.all)
        try await ledger.move("b", "d", from: .discovered, to: .uploading, at: 1, .none, detail: "")
        let allocated = try await ledger.allocate(rows.map { ($0, RedactedURL("u"), 5) }, at: 2)
        #expect(allocated.map(\.file) == ["a"] && allocated[0].state == .allocated)
        #expect(try await ledger.row("a", "d")?.url == RedactedURL("u"))
        #expect(try await ledger.row("b", "d")?.state == .uploading)
        try await ledger.fail(rows, ShipFailure(.fileRead, "why"), notBeforeMilliseconds: 0, at: 3)
        #expect(try await ledger.list(.states([.failed])).isEmpty, "both are elsewhere by now")
    }

    @Test func deliveryWipesTheURLAndIsCountedOnce() async throws {
        let ledger = try Self.open(volume)
        _ = try await ledger.insert([Self.file("a")], "d", as: .discovered, at: 1, detail: "")
        for time in [Int64(2), 5] {
            let row = try #require(try await ledger.row("a", "d"))
            _ = try await ledger.allocate([(row, RedactedURL("https://h/k?SECRET"), 99)], at: time)
            try await ledger.move(
                "a", "d", from: .allocated, to: .uploading, at: time, .attempt, detail: "")
            try await ledger.move(
                "a", "d", from: .uploading, to: .uploaded, at: time + 1,
                .receipt(Receipt(status: 200, etag: "e", requestID: nil, serverDate: nil), sha256: "s"), detail: "")
        }
        let row = try #require(try await ledger.row("a", "d"))
        #expect(row.url == nil && row.urlExpiresMilliseconds == nil && row.uploadedMilliseconds == 3)
        let summary = try #require(try await ledger.destinations().first)
        #expect(summary.filesUploaded == 1 && summary.rowsUploaded == 10 && summary.bytesUploaded == 100)
        #expect(summary.lastSuccessMilliseconds == 6)
        #expect(try await !ledger.history("a", "d").contains { $0.detail.contains("SECRET") })
    }

    @Test func historyIsBounded() async throws {
        let ledger = try Self.open(volume)
        _ = try await ledger.insert([Self.file("a"), Self.file("b")], "d", as: .discovered, at: 1, detail: "")
        try await ledger.move("a", "d", from: .discovered, to: .uploading, at: 1, .none, detail: "")
        for time in 0..<100 as Range<Int64> {
            try await ledger.move("a", "d", from: .uploading, to: .uploading, at: time, .none, detail: "")
        }
        let history = try await ledger.history("a", "d")
        #expect(history.count == 32 && history.last?.atMilliseconds == 99)
        #expect(try await ledger.history("b", "d").count == 1)
    }

    @Test func countsUnsentFilesOnceAndBackOffHidesThem() async throws {
        let ledger = try Self.open(volume)
        for name in ["d", "e"] {
            _ = try await ledger.insert(
                [Self.file("a"), Self.file("b", rows: nil)], name, as: .discovered, at: 4, detail: "")
        }
        let rows = try await ledger.list(.files(["a"])).filter { $0.destination == "d" }
        try await ledger.fail(rows, ShipFailure(.fileRead, "why"), notBeforeMilliseconds: 50, at: 5)
        #expect(
            try await ledger.unsent()
                == UnsentSummary(files: 2, bytes: 200, rows: 10, oldestDiscoveredMilliseconds: 4))
        #expect(try await ledger.due("d", at: 49, ignoringBackOff: false) == ["b"])
        #expect(try await ledger.due("d", at: 50, ignoringBackOff: false) == ["a", "b"])
        #expect(try await ledger.due("d", at: 49, ignoringBackOff: true) == ["a", "b"])
        #expect(try await ledger.destinations().first?.lastError?.code == "err-file-read")
    }

    @Test func retryPutsBackOnlyWhatWaits() async throws {
        let ledger = try Self.open(volume)
        let states: [ShipmentState] = [.discovered, .uploaded, .quarantined, .abandoned]
        for state in states { _ = try await ledger.insert([Self.file("\(state)")], "d", as: state, at: 1, detail: "") }
        _ = try await ledger.insert([Self.file("failed")], "d", as: .discovered, at: 1, detail: "")
        let rows = try await ledger.list(.files(["failed"]))
        try await ledger.fail(rows, ShipFailure(.fileRead, "why"), notBeforeMilliseconds: 1 << 60, at: 1)
        #expect(try await ledger.retry(.all, dryRun: true, at: 2).count == 3)
        #expect(try await ledger.list(.states([.failed])).count == 1)
        #expect(try await ledger.retry(.states([.failed]), dryRun: false, at: 2).map(\.file) == ["failed"])
        #expect(try await ledger.due("d", at: 2, ignoringBackOff: false) == ["discovered", "failed"])
        #expect(try await ledger.retry(.files(["quarantined", "uploaded"]), dryRun: false, at: 3).count == 1)
        #expect(try await ledger.list(.states([.uploaded])).count == 1)
    }

    // MARK: The file

    @Test func isPrivateAndReopens() async throws {
        _ = try await Self.open(volume).insert([Self.file("a")], "d", as: .discovered, at: 1, detail: "")
        #expect(try await Self.open(volume).list(.all).count == 1)
        var information = stat()
        #expect(stat(volume.layout.ledger, &information) == 0 && information.st_mode & 0o777 == 0o600)
    }

    @Test func everyCommitSyncsTheJournalsDirectoryToo() async throws {
        #expect(try await Self.open(volume).synchronousMode() == 3, "EXTRA: a power cut brings no journal back")
    }

    enum Damage: CaseIterable { case notALedger, header, middle, otherApplication }

    @Test(arguments: Damage.allCases)
    func aDamagedLedgerIsSetAside(_ damage: Damage) async throws {
        let path = volume.layout.ledger
        do {
            let ledger = try Self.open(volume)
            let files = (0..<500).map { Self.file("file \($0)") }
            _ = try await ledger.insert(files, "d", as: .discovered, at: 1, detail: "")
        }
        switch damage {
        case .notALedger: try volume.fileSystem.publish(Array("hello, I am not a ledger at all".utf8), at: path)
        case .header: try volume.overwrite(path, [UInt8](repeating: 7, count: 200))
        case .middle: try volume.overwrite(path, [UInt8](repeating: 7, count: 20_000), at: 8_192)
        case .otherApplication: try volume.overwrite(path, [1, 2, 3, 4], at: 68)
        }
        let opened = try Ledger.open(volume.layout, volume.fileSystem, wallMilliseconds: 42)
        #expect(opened.setAside?.contains("ledger-42.sqlite") == true)
        #expect(try volume.names(volume.layout.quarantine) == ["ledger-42.sqlite"])
        #expect(try await opened.ledger.list(.all).isEmpty)
    }

    @Test func aNewerLedgerIsRefusedAndUnchanged() throws {
        _ = try Self.open(volume)
        try RawDatabase(volume.layout.ledger).run("PRAGMA user_version=99")
        let before = try volume.bytes(volume.layout.ledger)
        let error = #expect(throws: ShipError.self) { try Self.open(volume) }
        #expect(error?.reason == .newerLedger(version: 99))
        #expect(try volume.bytes(volume.layout.ledger) == before)
    }

    @Test func anOrphanJournalIsNotRolledIntoANewLedger() async throws {
        try volume.fileSystem.publish([UInt8](repeating: 0xD9, count: 4_096), at: volume.layout.ledger + "-journal")
        #expect(try await Self.open(volume).list(.all).isEmpty)
        #expect(try !volume.fileSystem.exists(volume.layout.ledger + "-journal"))
    }

    // MARK: Reading beside a shipper

    @Test func snapshotOfNothingIsNothing() throws {
        #expect(try Ledger.snapshot(volume.layout, volume.fileSystem, temporaryDirectory: volume.layout.staging) == nil)
    }

    @Test func snapshotBesideALiveShipperDoesNotChangeAnything() async throws {
        let ledger = try Self.open(volume)
        _ = try await ledger.insert([Self.file("a")], "d", as: .discovered, at: 1, detail: "")
        let names = try volume.names(volume.layout.root)
        let before = try volume.bytes(volume.layout.ledger)
        let copy = try #require(
            try Ledger.snapshot(volume.layout, volume.fileSystem, temporaryDirectory: volume.layout.staging))
        #expect(try await copy.list(.all).count == 1)
        #expect(try volume.names(volume.layout.root) == names && volume.bytes(volume.layout.ledger) == before)
    }

    @Test func snapshotOfAKilledShipperShowsTheLastCommit() async throws {
        let files = (0..<300).map { Self.file("file \($0)") }
        _ = try await Self.open(volume).insert(files, "d", as: .discovered, at: 1, detail: "")
        // A writer in the middle of a transaction, whose pages are on disk already; the files as a kill leaves them.
        let writer = try RawDatabase(volume.layout.ledger)
        try writer.run("PRAGMA cache_size=1; BEGIN IMMEDIATE; UPDATE shipment SET state='abandoned', bytes=7;")
        let killed = try TestVolume()
        for suffix in ["", "-journal"] {
            let bytes = try volume.bytes(volume.layout.ledger + suffix)
            try killed.fileSystem.publish(bytes, at: killed.layout.ledger + suffix)
        }
        let before = try killed.bytes(killed.layout.ledger)
        try killed.fileSystem.makeDirectory(killed.layout.staging)
        let copy = try #require(
            try Ledger.snapshot(killed.layout, killed.fileSystem, temporaryDirectory: killed.layout.staging))
        #expect(try await copy.list(.states([.discovered])).count == 300)
        #expect(try killed.names(killed.layout.staging).contains("ledger.sqlite"), "the journal was hot")
        #expect(try killed.bytes(killed.layout.ledger) == before)
        #expect(try killed.fileSystem.exists(killed.layout.ledger + "-journal"))
        try writer.run("ROLLBACK")
    }
}

/// SQLite without our layer.
final class RawDatabase {
    private var handle: OpaquePointer?

    init(_ path: String) throws {
        try #require(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, nil) == SQLITE_OK)
    }

    func run(_ sql: String) throws { try #require(sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK) }

    /// The first column of the first row.
    func integer(_ sql: String) throws -> Int64 {
        var statement: OpaquePointer?
        try #require(sqlite3_prepare_v2(handle, sql, -1, &statement, nil) == SQLITE_OK)
        defer { sqlite3_finalize(statement) }
        try #require(sqlite3_step(statement) == SQLITE_ROW)
        return sqlite3_column_int64(statement, 0)
    }

    deinit { sqlite3_close(handle) }
}
