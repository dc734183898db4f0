import DiskIO
import Dispatch
import Synchronization
import TestKit
import Testing

/// A life of the volume in which everything happens that may be interrupted.
enum Script {
    /// The steps in order. Before each, what does not run is started.
    static var steps: [(World) -> Void] {
        [
            {
                $0.sendNew(sender: 0, count: 4)
                $0.sendNew(sender: 1, count: 3)
                $0.turn()
            },
            {
                $0.sendNew(sender: 0, count: 2)
                $0.turn()
                $0.turn(isIdle: true)
            },
            {
                $0.repeatAll()
                $0.turn()
                $0.tick()
            },
            { $0.rotate() },
            {
                $0.sendNew(sender: 1, count: 30)
                $0.turn()
            },
            {
                $0.rotate()
                $0.compact(flushing: true)
            },
            { $0.ship() },
            {
                $0.repeatAll()
                $0.sendNew(sender: 2, count: 3)
                $0.turn()
            },
            { $0.stopCollector() },
            {
                $0.sendNew(sender: 2, count: 2)
                $0.turn()
                $0.rotate()
                $0.compact(flushing: true)
            },
            {
                $0.wait(.seconds(400))
                $0.ship()
            },
            {
                $0.wait(.seconds(700))
                $0.compact(flushing: true)
                $0.ship()
            },
        ]
    }

    /// Until the end, or until the power is gone.
    static func run(_ world: World) {
        for step in steps {
            world.ensureRunning()
            if world.disk.isOff { return }
            step(world)
        }
    }
}

extension World {
    func sendNew(sender: Int, count: Int) { send(truth.make(sender: sender, count: count, at: clock.uptime)) }

    /// Time passes, and senders without an answer repeat their requests in it.
    func wait(_ duration: Duration) {
        for _ in 0..<8 where !disk.isOff {
            ensureRunning()
            for index in truth.open { send(index) }
            turn()
            clock.advance(duration / 8)
            tick()
        }
    }

    /// Senders that did not hear an answer send again, and one that did does too.
    func repeatAll() {
        for index in truth.open { send(index) }
        if !truth.requests.isEmpty { send(0) }
    }
}

/// A crash of the script: before an operation, in a state that the disk may be left in; nil = the processes alone die.
struct CrashPoint: Sendable, CustomStringConvertible {
    let operation: Int
    /// An operation of the recovery that follows, where the power goes again.
    var again: Int?

    var description: String { "cut before operation \(operation)\(again.map { ", and \($0) later" } ?? "")" }
}

/// An operation of the script that fails.
struct FaultPoint: Sendable, CustomStringConvertible {
    let operation: Int
    let fault: Fault
    let span: Injection.Span

    /// What may happen to a call that reads: it needs no space, and no leave to write.
    private static let reading: [(Fault, Injection.Span)] =
        [Errno.inputOutput, Errno.interrupted, Errno.tooManyFiles]
        .flatMap { [(.error($0), .once), (.error($0), .times(3))] }
        + [(.shortTransfer, .once), (.shortTransfer, .times(3))]
    private static let changing: [(Fault, Injection.Span)] =
        reading
        + [Errno.noSpace, Errno.quota, Errno.readOnly].flatMap { [(.error($0), .once), (.error($0), .times(3))] }
        + [Errno.noSpace, Errno.quota].map { (.error($0), .untilFreed) }

    /// - Parameter call: a line of the trace.
    static func kinds(of call: String) -> [(Fault, Injection.Span)] {
        let isReading = ["read", "size", "list", "status", "space"].contains { call.hasPrefix($0) }
        return isReading ? reading : changing
    }

    var description: String { "\(fault) \(span) at operation \(operation)" }
}

@Suite("Every instant of a volume's life", .serialized)
struct ExhaustiveTests {
    static let trace: [String] = {
        guard let world = try? World(.directory) else { return [] }
        Script.run(world)
        return world.disk.trace
    }()
    static var operationCount: Int { trace.count }

    @Test("the script is as long as it was when the cases were counted")
    func pinned() { #expect(Self.operationCount == 533) }

    @Test("the script as it is violates nothing")
    func calm() throws {
        let world = try World(.directory)
        Script.run(world)
        #expect(world.finish())
        #expect(world.violations() == [])
    }

    @Test("the power goes before any operation, in every state that it may leave; the processes alone die there")
    func cuts() async {
        let states = Mutex(0)
        let found = await Parallel.violations(of: (0...Self.operationCount).map { CrashPoint(operation: $0) }) {
            point in
            Self.crash(at: point, states)
        }
        #expect(found == [])
        let count = states.withLock { $0 }
        #expect(count >= 5_000)
        print("crash states: \(count) over \(Self.operationCount) operations, \(found.count) violations")
    }

    /// Every state after one cut.
    private static func crash(at point: CrashPoint, _ states: borrowing Mutex<Int>) -> [String] {
        guard let world = try? World(.directory) else { return ["no world"] }
        world.cutPower(before: point.operation)
        Script.run(world)
        world.stopProcesses()
        let (disk, truth) = (world.disk, world.truth)
        var found: [String] = []
        for crash in [nil] + Crash.all(pending: disk.pendingCount).map(Optional.some) {
            world.become(disk.copy(), truth)
            if let crash { world.restart(crash) } else { world.killProcesses() }
            world.recordEvidence()
            let isDone = world.finish()
            let name = crash.map { "\($0)" } ?? "killed"
            found += (isDone ? [] : [world.unrest]).map { "\(name): \($0)" }
            found += world.violations().map { "\(name): \($0)" }
            states.withLock { $0 += 1 }
            world.stopProcesses()
        }
        return found
    }

    @Test("the power goes again while it recovers")
    func cutsInRecovery() async {
        // Each operation of the recovery of every seventh instant, in steps that visit all of them over the run.
        let points = stride(from: 3, through: Self.operationCount, by: 7).flatMap { operation in
            stride(from: operation % 5, to: 200, by: 5).map { CrashPoint(operation: operation, again: $0) }
        }
        let found = await Parallel.violations(of: points) { point in
            guard let world = try? World(.directory), let again = point.again else { return ["no world"] }
            world.cutPower(before: point.operation)
            Script.run(world)
            // Every second time the processes alone died: what the cache holds then is not yet on the medium.
            if again % 2 == 0 {
                world.restart(.random(seed: UInt64(point.operation * 1000 + again)))
            } else {
                world.killProcesses()
            }
            world.cutPower(before: world.disk.operationCount + again)
            _ = world.finish()
            if world.disk.isOff { world.restart(.random(seed: UInt64(again))) }
            world.disk.cutPower(before: nil)
            return (world.finish() ? [] : [world.unrest]) + world.violations()
        }
        #expect(found == [])
        print("cuts during recovery: \(points.count), \(found.count) violations")
    }

    @Test("every operation fails, in every way, once, three times, or until space is freed; then the power goes")
    func faults() async {
        let points = Self.trace.enumerated().flatMap { operation, call in
            FaultPoint.kinds(of: call).map { FaultPoint(operation: operation, fault: $0.0, span: $0.1) }
        }
        #expect(points.count >= 5_000)
        let found = await Parallel.violations(of: points) { point in
            guard let world = try? World(.directory) else { return ["no world"] }
            world.disk.inject(.at(point.operation, point.fault, point.span))
            Script.run(world)
            world.disk.inject(nil)
            // Every third time the power goes after it, else the same processes go on.
            if point.operation % 3 == 0 { world.restart(.random(seed: UInt64(point.operation))) }
            return (world.finish() ? [] : [world.unrest]) + world.violations()
        }
        #expect(found == [])
        print("failing operations: \(points.count) runs, \(found.count) violations")
    }
}
