internal import Dispatch
internal import Glibc
internal import Synchronization

/// Signals as values.
enum Signals {
    /// Waits for the first SIGTERM or SIGINT and returns its name. A second one kills as usual.
    static func firstTermination() async -> String {
        await withCheckedContinuation { continuation in
            let waiter = Waiter(continuation)
            for (number, name) in [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")] {
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
        }
    }

    /// A peer that closes its end must not end the process.
    static func ignoreBrokenPipes() { _ = signal(SIGPIPE, SIG_IGN) }

    /// Resumes once, whichever signal is first.
    private final class Waiter: Sendable {
        private let waiting: Mutex<CheckedContinuation<String, Never>?>

        init(_ continuation: CheckedContinuation<String, Never>) { waiting = Mutex(continuation) }

        func resume(_ name: String) { waiting.withLock { $0.take() }?.resume(returning: name) }
    }
}
