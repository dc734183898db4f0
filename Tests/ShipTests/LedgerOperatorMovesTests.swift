import Ship
import Testing

@Suite struct LedgerOperatorMovesTests {
    let volume: TestVolume

    init() throws { volume = try TestVolume() }

    @Test func abandonGivesUpWhatWaitsAndTellsOnlyThoseWhoAsk() async throws {
        let ledger = try LedgerTests.open(volume)
        for destination in ["api", "lake"] {
            let files = ["waits", "flies", "arrived"].map { LedgerTests.file($0) }
            _ = try await ledger.insert(files, destination, as: .discovered, at: 1, detail: "")
            for name in ["flies", "arrived"] {
                try await ledger.move(name, destination, from: .discovered, to: .uploading, at: 2, .none, detail: "")
            }
            try await ledger.move(
                "arrived", destination, from: .uploading, to: .uploaded, at: 3,
                .receipt(.local, sha256: String(repeating: "0", count: 64)),
                detail: "")
        }
        let all = ShipmentFilter.files(["waits", "flies", "arrived"])
        let would = try await ledger.abandon(all, reason: "r", told: ["api"], dryRun: true, at: 4)
        #expect(would.map(\.file) == ["waits", "waits"])
        #expect(try await ledger.row("waits", "api")?.state == .discovered, "a dry run changes nothing")
        #expect(try await ledger.abandonments("api", limit: 9).isEmpty)

        #expect(try await ledger.abandon(all, reason: "r", told: ["api"], dryRun: false, at: 4) == would)
        #expect(try await ledger.row("waits", "lake")?.state == .abandoned)
        #expect(try await ledger.row("flies", "api")?.state == .uploading)
        #expect(try await ledger.row("arrived", "api")?.state == .uploaded)
        #expect(try await ledger.history("waits", "api").last?.detail == "r")
        #expect(try await ledger.abandonments("api", limit: 9).map(\.referenceID) == ["waits"])
        #expect(try await ledger.abandonments("lake", limit: 9).isEmpty)
        #expect(try await ledger.abandon(all, reason: "r", told: [], dryRun: false, at: 5).isEmpty)
    }

    @Test func oneDestinationIsMeantAlone() async throws {
        let ledger = try LedgerTests.open(volume)
        for destination in ["former", "present"] {
            _ = try await ledger.insert([LedgerTests.file("a")], destination, as: .discovered, at: 1, detail: "")
        }
        for dryRun in [true, false] {
            let rows = try await ledger.abandon(
                .files(["a"]), only: "former", reason: "r", told: [], dryRun: dryRun, at: 2)
            #expect(rows.map(\.destination) == ["former"])
        }
        #expect(try await ledger.row("a", "former")?.state == .abandoned)
        #expect(try await ledger.row("a", "present")?.state == .discovered)
        _ = try await ledger.abandon(.all, reason: "r", told: [], dryRun: false, at: 3)
        for dryRun in [true, false] {
            let rows = try await ledger.retry(.all, only: "present", dryRun: dryRun, at: 4)
            #expect(rows.map(\.destination) == ["present"])
        }
        #expect(try await ledger.row("a", "former")?.state == .abandoned)
    }

    @Test func whatIsPutBackIsNotToldAsGivenUp() async throws {
        let ledger = try LedgerTests.open(volume)
        _ = try await ledger.insert(
            [LedgerTests.file("a"), LedgerTests.file("b")], "api", as: .discovered, at: 1, detail: "")
        _ = try await ledger.abandon(.all, reason: "r", told: ["api"], dryRun: false, at: 2)
        #expect(try await ledger.retry(.files(["a"]), dryRun: false, at: 3).count == 1)
        #expect(try await ledger.abandonments("api", limit: 9).map(\.referenceID) == ["b"])
    }
}
