internal import Dispatch
internal import Glibc
internal import Synchronization

/// Signals as values.
enum Signals {
    /// Waits for the first SIGTERM or SIGINT and returns its name; nil when the task is cancelled. A second one kills
    /// as usual.
    static func firstTermination() async -> String? {
        let waiter = Waiter()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                waiter.hold(continuation)
                for (number, name) in [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")] { watch(number, name, waiter) }
            }
        } onCancel: {
            waiter.resume(nil)
        }
    }

    private static func watch(_ number: Int32, _ name: String, _ waiter: Waiter) {
        _ = signal(number, SIG_IGN)  // the source sees it all the same
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        // The handler holds its source: it lives until it fires.
        source.setEventHandler {
            _ = signal(number, SIG_DFL)
            waiter.resume(name)
            source.cancel()
        }
        source.resume()
    }

    /// Each SIGHUP from now on; of several that come while one is worked on, one is kept.
    static func hangups() -> AsyncStream<Void> {
        _ = signal(SIGHUP, SIG_IGN)  // the source sees it all the same
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: .global())
        // The handler holds its source, for the life of the process.
        source.setEventHandler { withExtendedLifetime(source) { _ = continuation.yield() } }
        source.resume()
        return stream
    }

    /// A peer that closes its end must not end the process.
    static func ignoreBrokenPipes() { _ = signal(SIGPIPE, SIG_IGN) }

    /// Resumes once, whoever is first.
    private final class Waiter: Sendable {
        private struct State {
            var continuation: CheckedContinuation<String?, Never>?
            var isOver = false
        }

        private let state = Mutex(State())

        func hold(_ continuation: CheckedContinuation<String?, Never>) {
            let isOver = state.withLock { state in
                if !state.isOver { state.continuation = continuation }
                return state.isOver
            }
            if isOver { continuation.resume(returning: nil) }
        }

        func resume(_ name: String?) {
            let continuation = state.withLock { state in
                state.isOver = true
                return state.continuation.take()
            }
            continuation?.resume(returning: name)
        }
    }
}
