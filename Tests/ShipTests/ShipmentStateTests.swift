import Ship
import Testing

@Suite struct ShipmentStateTests {
    /// Every allowed move; every other one is refused.
    static let moves: Set<String> = [
        "discovered allocated", "discovered uploading", "discovered failed", "discovered quarantined",
        "discovered abandoned", "allocated allocated", "allocated uploading", "allocated failed",
        "allocated quarantined", "allocated abandoned", "uploading discovered", "uploading allocated",
        "uploading uploading",
        "uploading uploaded", "uploading failed", "uploading quarantined", "uploaded allocated",
        "uploaded discovered", "uploaded purging", "purging purged", "failed discovered", "failed allocated",
        "failed uploading", "failed failed", "failed quarantined", "failed abandoned", "abandoned discovered",
        "quarantined discovered", "quarantined abandoned",
    ]

    @Test(arguments: ShipmentState.allCases)
    func moves(from state: ShipmentState) {
        for next in ShipmentState.allCases {
            #expect(state.mayBecome(next) == Self.moves.contains("\(state) \(next)"), "\(state) to \(next)")
        }
    }

    @Test func unsentNeverLeadsToPurgingWithoutUpload() {
        for state in ShipmentState.allCases where state.isUnsent { #expect(!state.mayBecome(.purging)) }
        #expect(ShipmentState.allCases.filter { $0.mayBecome(.purging) } == [.uploaded])
        #expect(ShipmentState.allCases.filter { $0.mayBecome(.uploaded) } == [.uploading])
    }

    static let places: [([String: ShipmentState], RestingPlace?)] = [
        ([:], nil), (["a": .uploaded], nil), (["a": .uploaded, "b": .uploading], nil),
        (["a": .uploaded, "b": .failed], nil), (["a": .uploaded, "b": .uploaded], .uploaded),
        (["a": .uploaded, "b": .purged], .uploaded), (["a": .uploaded, "b": .abandoned], .abandoned),
        (["a": .uploaded, "b": .quarantined], .quarantine), (["a": .discovered, "b": .quarantined], .quarantine),
        (["a": .uploaded, "b": .uploaded, "old": .failed], .uploaded), (["old": .uploaded], nil),
    ]

    @Test(arguments: places)
    func restingPlace(_ states: [String: ShipmentState], _ expected: RestingPlace?) {
        #expect(RestingPlace(states, destinations: ["a", "b"]) == expected)
    }
}

@Suite struct RetryPolicyTests {
    static let ceilings: [(Int, Int)] = [(0, 1), (1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (7, 30), (1_000_000, 30)]

    @Test(arguments: ceilings)
    func ceilingDoublesUpToTheLongest(failures: Int, seconds: Int) {
        let policy = RetryPolicy(first: .seconds(1), longest: .seconds(30))
        #expect(policy.ceiling(after: failures) == .seconds(seconds))
        #expect(policy.delay(after: failures, fraction: 0) == .zero)
        #expect(policy.delay(after: failures, fraction: 1) == .seconds(seconds))
    }

    @Test func noWaitWithoutLongest() {
        #expect(RetryPolicy(first: .seconds(1), longest: .zero).ceiling(after: 9) == .zero)
    }
}

@Suite struct UploadQueueTests {
    @Test func whatFailedComesAfterWhatWasNotTriedAndNotBeforeItsTime() async throws {
        let volume = try TestVolume()
        let ledger = try Ledger.open(volume.layout, volume.fileSystem, wallMilliseconds: 1).ledger
        let files = ["a", "b", "c"].map { LedgerTests.file($0) }
        _ = try await ledger.insert(files, "d", as: .discovered, at: 1, detail: "")
        var queue = UploadQueue(try await ledger.list(.all))
        let popped = queue.next(at: .seconds(1))
        var first = try #require(popped)
        first.readyAt = .seconds(2)
        queue.wait(first)
        var order = [first.row.file]
        while let entry = queue.next(at: .seconds(5)) { order.append(entry.row.file) }
        #expect(order == ["a", "b", "c", "a"])
        #expect(queue.unfinished.isEmpty && queue.nextReadyAt == nil)
        queue.wait(first)
        let early = queue.next(at: .seconds(1))
        #expect(early == nil && queue.nextReadyAt == .seconds(2))
    }
}
