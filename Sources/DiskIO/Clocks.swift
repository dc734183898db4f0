internal import Glibc

/// Time as three functions (style.md §2.5). Wall time stamps data and is never subtracted; uptime measures.
package struct Clocks: Sendable {
    /// Time since boot: monotonic.
    package let uptime: @Sendable () -> Duration
    /// Milliseconds since 1970, UTC.
    package let wallMilliseconds: @Sendable () -> Int64
    package let sleep: @Sendable (Duration) async throws -> Void

    package init(
        uptime: @escaping @Sendable () -> Duration, wallMilliseconds: @escaping @Sendable () -> Int64,
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.uptime = uptime
        self.wallMilliseconds = wallMilliseconds
        self.sleep = sleep
    }

    package static let system = Clocks(
        uptime: {
            let time = read(CLOCK_BOOTTIME)
            return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
        },
        wallMilliseconds: {
            let time = read(CLOCK_REALTIME)
            return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
        },
        sleep: { try await Task.sleep(for: $0) })

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        // SAFETY: clock_gettime fills the struct it is given.
        _ = unsafe clock_gettime(clock, &time)
        return time
    }
}
