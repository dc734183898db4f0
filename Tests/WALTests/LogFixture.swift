import DiskIO
import TestKit
import WAL

/// A log on a simulated disk, with verbs.
struct LogFixture {
    let disk = SimulatedDisk()
    let clock = ManualClock()
    let layout = VolumeLayout(root: "/v")

    init() throws {
        for path in ["/v", "/v/wal", "/v/quarantine"] { try disk.makeDirectory(path) }
    }

    var directory: SegmentDirectory { SegmentDirectory(layout.wal, in: disk) }

    static let volume = VolumeID(high: 0x1122_3344_5566_7788, low: 0x99AA_BBCC_DDEE_FF00)

    func environment() -> LogEnvironment {
        LogEnvironment(
            layout: layout, fileSystem: disk, clocks: clock.clocks,
            segment: SegmentOptions(volume: Self.volume, reservedBytes: 1 << 20, configuration: 7),
            salt: { 0x0102_0304_0506_0708 })
    }

    static func record(_ text: String, rows: Int = 1) -> PendingRecord {
        PendingRecord(payload: Array(text.utf8), isCompressed: false, rows: rows)
    }

    /// What recovery finds: payloads as text, in order.
    func recover() throws -> (log: RecoveredLog, payloads: [String]) {
        var payloads: [String] = []
        let log = try Recovery(layout, in: disk).run(retired: [], newVolume: Self.volume) { _, record in
            payloads.append(String(decoding: record.payload, as: UTF8.self))
        }
        return (log, payloads)
    }

    /// An appender behind what recovery finds, with its first segment open.
    func open(epoch: UInt64 = 1) throws -> LogAppender {
        var appender = LogAppender(try recover().log, environment: environment())
        try appender.rotate(to: epoch)
        return appender
    }
}
