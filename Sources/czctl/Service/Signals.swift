internal import Dispatch
internal import Glibc

/// Signals as values.
enum Signals {
    /// The name of the first SIGTERM or SIGINT from the return of this on; a second one kills as usual.
    static func terminations() async -> AsyncStream<String> {
        let (stream, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingOldest(1))
        for (number, name) in [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")] {
            await watch(number) {
                _ = signal(number, SIG_DFL)
                continuation.yield(name)
                continuation.finish()
            }
        }
        return stream
    }

    /// Returns once the source is in place, with a handler of its own: until then the signal does what it did before. To
    /// ignore it meanwhile would lose one that comes between.
    private static func watch(_ number: Int32, _ body: @escaping @Sendable () -> Void) async {
        let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
        // The handler holds its source: it lives until it fires.
        source.setEventHandler {
            body()
            source.cancel()
        }
        await withCheckedContinuation { continuation in
            source.setRegistrationHandler { continuation.resume() }
            source.resume()
        }
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
}
