import Foundation
import Synchronization
import TestKit
import Testing

/// Numbers that `make soak` and a replay set in the environment.
enum Settings {
    static func number(_ name: String, or standard: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? standard
    }
}

@Suite("Random lives, each from one seed")
struct SeedTests {
    @Test("nothing acknowledged is lost or doubled, whatever the seed brings")
    func seeds() async {
        let first = Settings.number("CIRRUS_FIRST_SEED", or: 1)
        let count = Settings.number("CIRRUS_SEEDS", or: 2_000)
        let sums = Mutex((acknowledged: 0, deaths: 0))
        let found = await Parallel.violations(of: (first..<first + count).map { UInt64($0) }) { seed in
            do {
                let outcome = try Life.run(seed: seed)
                sums.withLock {
                    $0.acknowledged += outcome.acknowledged
                    $0.deaths += outcome.deaths
                }
                return outcome.violations
            } catch {
                return ["\(error)"]
            }
        }
        let (acknowledged, deaths) = sums.withLock { $0 }
        #expect(found == [], "replay one with: make replay SEED=<number>")
        #expect(acknowledged > count && deaths > count / 4, "lives in which nothing happens prove nothing")
        print(
            "seeds: \(count) from \(first), \(acknowledged) requests acknowledged, \(deaths) deaths, "
                + "\(found.count) violations")
    }

    @Test("a seed gives the same life again, to the hash of its trace")
    func repeats() async {
        let found = await Parallel.violations(of: Array(UInt64(1)...40)) { seed in
            guard let first = try? Life.run(seed: seed, hashing: true),
                let second = try? Life.run(seed: seed, hashing: true)
            else {
                return ["no life"]
            }
            guard first.hash != second.hash else { return [] }
            let difference = zip(first.story, second.story).first { $0 != $1 }
            return [
                "hash \(first.hash), then \(second.hash), from \(difference.map { "\($0)" } ?? "the disk's calls on")"
            ]
        }
        #expect(found == [])
    }

    @Test(
        "one seed, told in full",
        .enabled(if: ProcessInfo.processInfo.environment["CIRRUS_SEED"] != nil, "make replay SEED=<number>"))
    func replay() async throws {
        let seed = Settings.number("CIRRUS_SEED", or: 1)
        let found = await Parallel.violations(of: [UInt64(seed)]) { seed in
            guard let outcome = try? Life.run(seed: seed, hashing: true) else { return ["no life"] }
            for line in outcome.story { print(line) }
            print("seed \(seed): trace hash \(outcome.hash), \(outcome.violations.count) violations")
            return outcome.violations
        }
        #expect(found == [])
    }
}
