package import DiskIO
internal import Synchronization

/// Time that moves when a test says so.
package final class ManualClock: Sendable {
    private struct State {
        var uptime = Duration.seconds(1000)
        var wall: Int64 = 1_780_000_000_000
    }

    private let state = Mutex(State())

    package init() {}

    package func advance(_ duration: Duration) {
        state.withLock {
            $0.uptime += duration
            $0.wall += Int64(duration / .milliseconds(1))
        }
    }

    /// Somebody sets the wall clock.
    package func jump(milliseconds: Int64) { state.withLock { $0.wall += milliseconds } }

    package var uptime: Duration { state.withLock { $0.uptime } }

    package var clocks: Clocks {
        Clocks(
            uptime: { self.state.withLock { $0.uptime } }, wallMilliseconds: { self.state.withLock { $0.wall } },
            sleep: { self.advance($0) })
    }
}
