internal import Synchronization

/// A flag that tasks can wait for: "stop", "wake up". Raised from anywhere, also from outside tasks.
package final class Signal: Sendable {
    private struct State {
        var isRaised = false
        var lastID = 0
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package var isRaised: Bool { state.withLock { $0.isRaised } }

    package func raise() {
        let waiting = state.withLock { state in
            state.isRaised = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume() }
    }

    package func lower() { state.withLock { $0.isRaised = false } }

    /// Returns when the flag is raised or the task is cancelled, whichever is first.
    package func wait() async {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let mustWait = state.withLock { state in
                    // A cancellation before this line found nobody to resume: it is seen here.
                    if state.isRaised || Task.isCancelled { return false }
                    state.waiting[id] = continuation
                    return true
                }
                if !mustWait { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }

    /// Waits for the flag, but at most `duration`. Returns whether the time ran out: false when raised or cancelled.
    package func wait(
        atMost duration: Duration, _ sleep: @escaping @Sendable (Duration) async throws -> Void
    ) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                // A sleep throws only when it is cancelled: then the time did not run out.
                do { try await sleep(duration) } catch { return false }
                return true
            }
            group.addTask {
                await self.wait()
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first && !self.isRaised
        }
    }
}
