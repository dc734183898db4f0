import Foundation
import Synchronization

/// Runs cases on threads of their own, as many as the machine has cores: a simulated world blocks its thread while
/// production code runs on Swift's, so it must not sit on one of them.
enum Parallel {
    /// - Returns: the violations of all cases, at most `limit`, each with the case before it.
    static func violations<Case: Sendable>(
        of cases: [Case], limit: Int = 10, _ run: @escaping @Sendable (Case) -> [String]
    ) async -> [String] {
        let shared = Shared(cases.count)
        let width = ProcessInfo.processInfo.activeProcessorCount
        return await withCheckedContinuation { continuation in
            for _ in 0..<width {
                let thread = Thread {
                    while let index = shared.next() {
                        let found = run(cases[index])
                        shared.add(found.map { "\(cases[index]): \($0)" }, limit: limit)
                    }
                    if shared.isLast(of: width) { continuation.resume(returning: shared.found) }
                }
                thread.stackSize = 8 << 20
                thread.start()
            }
        }
    }

    private final class Shared: Sendable {
        private struct State {
            var next = 0
            var ended = 0
            var found: [String] = []
        }

        private let count: Int
        private let state = Mutex(State())

        init(_ count: Int) { self.count = count }

        /// The next case; nil when there is none, or when enough is known.
        func next() -> Int? {
            state.withLock { state in
                guard state.next < count else { return nil }
                defer { state.next += 1 }
                return state.next
            }
        }

        func add(_ found: [String], limit: Int) {
            guard !found.isEmpty else { return }
            state.withLock { state in
                state.found += found
                if state.found.count >= limit { state.next = count }
            }
        }

        func isLast(of width: Int) -> Bool {
            state.withLock { state in
                state.ended += 1
                return state.ended == width
            }
        }

        var found: [String] { state.withLock { $0.found } }
    }
}
