internal import Dispatch
internal import Glibc
internal import Synchronization

/// Signals as values.
enum Signals {
    /// The name of the first SIGTERM or SIGINT from the return of this on; a second one kills as usual, and so does the
    /// first once nobody waits for it any more.
    static func terminations() async -> AsyncStream<String> {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingOldest(1))
        let attention = Attention()
        continuation.onTermination = { reason in
            if case .cancelled = reason { attention.end() }
        }
        for (number, name) in [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")] {
            await watch(number) { source in
                _ = signal(number, SIG_DFL)
                // As a shell says it of a process that a signal ended.
                if attention.isOver { _exit(128 + number) }
                continuation.yield(name)
                continuation.finish()
                source.cancel()
            }
        }
        return stream
    }

    /// Whether anybody still waits for a termination.
    private final class Attention: Sendable {
        private let state = Mutex(false)

        var isOver: Bool { state.withLock { $0 } }

        func end() { state.withLock { $0 = true } }
    }

    /// Returns once the source is in place, with a handler of its own: until then the signal does what it did before.
    /// To ignore it meanwhile would lose one that comes between.
    private static func watch(
        _ number: Int32, _ body: @escaping @Sendable (any DispatchSourceSignal) -> Void
    ) async {
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        // The handler holds its source: it lives until it is cancelled.
        source.setEventHandler { body(source) }
        await withCheckedContinuation { continuation in
            source.setRegistrationHandler { continuation.resume() }
            source.resume()
        }
    }

    /// Each SIGHUP.
    static func hangups() async -> AsyncStream<Void> { await each(SIGHUP) }

    /// Each SIGUSR1.
    static func stateRequests() async -> AsyncStream<Void> { await each(SIGUSR1) }

    /// From the return of this on; of several that come while one is worked on, one is kept.
    private static func each(_ number: Int32) async -> AsyncStream<Void> {
        _ = signal(number, SIG_IGN)  // before that it says nothing, but must not kill
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        await watch(number) { _ in _ = continuation.yield() }
        return stream
    }

    /// A peer that closes its end must not end the process.
    static func ignoreBrokenPipes() { _ = signal(SIGPIPE, SIG_IGN) }
}
