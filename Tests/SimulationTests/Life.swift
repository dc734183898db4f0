import Bytes
import DiskIO
import Synchronization
import TestKit

/// A random life of a volume, all of it from one seed: senders, faults of the disk, misbehaviour of the API, latencies,
/// clock jumps, a full volume, power cuts and kills; then calm, and the oracle.
struct Life {
    private let world: World
    private var chance: SeededGenerator
    private let temper: Temper
    private var isClockTrusted = true

    /// What kind of life it is: most faults are absent from most lives, so that each is met alone too.
    private struct Temper {
        var diskFault = 0.0
        var misbehaviour = 0.0
        var latency = 0
        var jumpsClock = false
        var fillsVolume = false
        var diesAt = 0.0

        init(_ chance: inout SeededGenerator) {
            if chance.chance(0.6) { diskFault = [0.001, 0.01, 0.05].randomElement(using: &chance)! }
            if chance.chance(0.5) { misbehaviour = [0.1, 0.3, 0.6].randomElement(using: &chance)! }
            if chance.chance(0.3) { latency = 50 }
            jumpsClock = chance.chance(0.2)
            fillsVolume = chance.chance(0.25)
            if chance.chance(0.7) { diesAt = [0.03, 0.1, 0.3].randomElement(using: &chance)! }
        }
    }

    struct Outcome {
        let violations: [String]
        /// Of everything that happened: disk calls, answers, calls of the API, the final files. Empty unless asked for.
        let hash: String
        let acknowledged: Int
        let deaths: Int
        let story: [String]
    }

    private var deaths = 0

    init(seed: UInt64) throws {
        chance = SeededGenerator(seed: seed)
        temper = Temper(&chance)
        world = try World(chance.chance(0.5) ? .directory : .objectStore, seed: seed)
    }

    static func run(seed: UInt64, hashing: Bool = false) throws -> Outcome {
        var life = try Life(seed: seed)
        return life.live(hashing)
    }

    private mutating func live(_ hashing: Bool) -> Outcome {
        let events = Int.random(in: 20...70, using: &chance)
        disturb()
        for _ in 0..<events {
            if temper.diesAt > 0, chance.chance(temper.diesAt) { arrangeDeath() }
            world.ensureRunning()
            act()
            if world.disk.isOff { returnToLife() }
        }
        if world.disk.isOff { returnToLife() }
        calm()
        let isAtRest = world.finish()
        let found = isAtRest ? world.violations() : [world.unrest]
        return Outcome(
            violations: found, hash: hashing ? hash() : "",
            acknowledged: world.truth.requests.count { $0.isAcknowledged },
            deaths: deaths, story: world.story)
    }

    // MARK: Trouble

    private mutating func disturb() {
        world.store.misbehave(temper.misbehaviour)
        guard temper.diskFault > 0 || temper.latency > 0 else { return }
        let (temper, clock) = (temper, world.clock)
        let generator = Mutex(SeededGenerator(seed: chance.next()))
        world.disk.inject(
            Injection { call in
                generator.withLock { generator in
                    if temper.latency > 0 {
                        clock.advance(.milliseconds(Int.random(in: 0...temper.latency, using: &generator)))
                    }
                    guard generator.chance(temper.diskFault) else { return nil }
                    let codes = [
                        Errno.inputOutput, Errno.noSpace, Errno.quota, Errno.interrupted, Errno.tooManyFiles,
                        Errno.readOnly,
                    ]
                    return generator.chance(0.2) ? .shortTransfer : .error(codes.randomElement(using: &generator)!)
                }
            })
    }

    private func calm() {
        world.disk.inject(nil)
        world.disk.cutPower(before: nil)
        world.disk.setSpace(capacity: nil)
        world.store.misbehave(0)
    }

    private mutating func arrangeDeath() {
        world.cutPower(before: world.disk.operationCount + Int.random(in: 0..<60, using: &chance))
    }

    private mutating func returnToLife() {
        deaths += 1
        if chance.chance(0.4) {
            world.killProcesses()
        } else {
            world.restart(
                chance.chance(0.3) ? Crash.fixed.randomElement(using: &chance)! : .random(seed: chance.next()))
        }
        disturb()
    }

    // MARK: Events

    private mutating func act() {
        switch Int.random(in: 0..<16, using: &chance) {
        case 0...4: sendNew()
        case 5: repeatSome()
        case 6: world.turn(isIdle: true)
        case 7: world.rotate()
        case 8, 9: world.compact(flushing: chance.chance(0.5))
        case 10, 11: world.ship(ignoringBackOff: chance.chance(0.5))
        case 12, 13: pass(.seconds(Int.random(in: 1...40, using: &chance)))
        case 14 where temper.jumpsClock: jumpClock()
        case 15 where temper.fillsVolume: changeSpace()
        case 15 where chance.chance(0.3): world.stopCollector()
        default: world.turn()
        }
    }

    private mutating func sendNew() {
        for _ in 0..<Int.random(in: 1...3, using: &chance) {
            let sender = Int.random(in: 0..<3, using: &chance)
            let count = Int.random(in: 1...12, using: &chance)
            let index = world.truth.make(sender: sender, count: count, at: world.clock.uptime)
            world.send(index, isHeard: chance.chance(0.85))
        }
        if chance.chance(0.7) { world.turn() }
    }

    /// Retransmits: of the unanswered, and now and then of what was answered lately.
    private mutating func repeatSome() {
        for index in world.truth.open { world.send(index, isHeard: chance.chance(0.8)) }
        let now = world.clock.uptime
        let recent = world.truth.requests.indices.filter { now - world.truth.requests[$0].madeAt < .seconds(300) }
        if isClockTrusted, let again = recent.randomElement(using: &chance) { world.send(again) }
        world.turn()
    }

    /// Time passes; senders repeat what was not answered, and give up before the window of the retransmits is over.
    private mutating func pass(_ duration: Duration) {
        for index in world.truth.open { world.send(index) }
        world.turn()
        world.clock.advance(duration)
        world.tick()
        let now = world.clock.uptime
        for index in world.truth.open where now - world.truth.requests[index].madeAt > .seconds(400) {
            world.truth.forget(index)
        }
    }

    /// The wall clock jumps by up to ten years. Nothing unanswered may be left: its retransmit would be told from a new
    /// request by the age that the clock no longer tells.
    private mutating func jumpClock() {
        for index in world.truth.open { world.send(index) }
        world.turn()
        for index in world.truth.open { world.truth.forget(index) }
        isClockTrusted = false
        world.clock.jump(milliseconds: Int64.random(in: -315_360_000_000...315_360_000_000, using: &chance))
        world.note("the clock jumps")
    }

    /// Somebody fills the volume, or frees it.
    private mutating func changeSpace() {
        if chance.chance(0.5) {
            world.disk.setSpace(capacity: 1 << 20, ballast: UInt64.random(in: 0...(1 << 20), using: &chance))
        } else {
            world.disk.setSpace(capacity: nil)
        }
        world.tick()
    }

    // MARK: The hash

    private func hash() -> String {
        var stream = Hash128Stream()
        for line in world.disk.trace { Self.add(line.replacing(world.root, with: ""), to: &stream) }
        for line in world.story + world.store.calls { Self.add(line, to: &stream) }
        for path in world.disk.files(below: world.root) {
            Self.add(path.replacing(world.root, with: ""), to: &stream)
            let bytes = world.disk.bytes(path) ?? []
            stream.update(bytes.span.bytes)
        }
        return stream.value.hex
    }

    private static func add(_ line: String, to stream: inout Hash128Stream) {
        let bytes = Array((line + "\n").utf8)
        stream.update(bytes.span.bytes)
    }
}
