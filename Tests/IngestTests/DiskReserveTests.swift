import DiskIO
import Ingest
import TestKit
import Testing

@Suite("Room for what must go on when the volume is full")
struct DiskReserveTests {
    @Test("held while there is room, given up when there is not, taken again behind a margin")
    func reserve() throws {
        let disk = SimulatedDisk()
        try disk.makeDirectory("/v")
        var reserve = DiskReserve(VolumeLayout(root: "/v"), reserveBytes: 4 << 20, segmentBytes: 1 << 20, in: disk)
        // What others take, in KiB, of 16 MiB; whether there is room beside the reserve for a segment, or two.
        for (taken, isFull) in [(0, false), (11 << 10, false), (11 << 10 | 4, true), (10 << 10 | 4, true), (9, false)] {
            disk.setSpace(capacity: 16 << 20, ballast: UInt64(taken) << 10)
            let reason = try reserve.check()
            #expect((reason != nil) == isFull, "\(taken) KiB")
            let held = try disk.status("/v/reserve/space")?.allocatedByteCount
            #expect(held == (isFull ? nil : 4 << 20), "\(taken) KiB")
        }
    }

    @Test("a volume without room refuses writes before their bodies are read, and opens by itself")
    func admission() async throws {
        let disk = SimulatedDisk()
        disk.setSpace(capacity: 4 << 20, ballast: 5 << 19)  // a segment fits, the reserve does not
        let fixture = try await IntakeFixture(disk, reserveBytes: 1 << 20)
        #expect(try await fixture.refusal() == 503)
        #expect(fixture.service.readiness != .ready)
        disk.setSpace(capacity: 8 << 20)
        // It looks once a second; the guard is long for a busy machine.
        for _ in 0..<200 where try await fixture.refusal() != nil { try await Task.sleep(for: .milliseconds(50)) }
        #expect(try await fixture.refusal() == nil)
        #expect(fixture.service.readiness == .ready)
        try await fixture.stop()
    }
}
