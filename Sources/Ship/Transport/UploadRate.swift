/// Shares out the bytes a second that all uploads may send together: a bucket that fills evenly and holds a quarter of
/// a second's worth, so that nothing is saved up for a burst.
package struct UploadRate: Sendable {
    package let bytesPerSecond: Int
    private var available: Double
    private var updatedAt: Duration?

    package init(bytesPerSecond: Int) {
        self.bytesPerSecond = bytesPerSecond
        available = 0
    }

    private var capacity: Double { Double(bytesPerSecond) / 4 }

    /// Bytes of `wanted` that may be sent at `now` (uptime).
    package mutating func take(_ wanted: Int, at now: Duration) -> Int {
        let elapsed = max(0, (now - (updatedAt ?? now - .milliseconds(250))) / .seconds(1))
        available = min(capacity, available + elapsed * Double(bytesPerSecond))
        updatedAt = now
        let granted = min(wanted, Int(available))
        available -= Double(granted)
        return granted
    }

    /// Until it is worth asking again.
    package static let wait = Duration.milliseconds(20)

    /// What `byteCount` bytes may take beyond an attempt's own time when `width` uploads share the rate.
    func time(for byteCount: UInt64, width: Int) -> Duration {
        .seconds(min(Double(byteCount) * Double(width) / Double(bytesPerSecond), 604_800))
    }
}

/// The rate of one curl thread's uploads, by the thread's own clock.
final class SharedUploadRate {
    private var rate: UploadRate
    private let uptime: () -> Duration
    /// Transfers that may share it: a generous bound, for their time.
    private static let width = 16

    init(bytesPerSecond: Int, uptime: @escaping () -> Duration) {
        rate = UploadRate(bytesPerSecond: bytesPerSecond)
        self.uptime = uptime
    }

    func take(_ wanted: Int) -> Int { rate.take(wanted, at: uptime()) }
    func time(for byteCount: UInt64) -> Duration { rate.time(for: byteCount, width: Self.width) }
}
