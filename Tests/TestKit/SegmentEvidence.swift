internal import Bytes
internal import DiskIO
internal import Foundation
internal import Synchronization
package import WAL

/// Segments that tests made, each with what the program reads in it, for the independent reader to disagree with
/// (Tests/Independent/compare.py). Written to the directory that `CIRRUS_EVIDENCE` names; without it nothing is.
package enum SegmentEvidence {
    private static let directory = ProcessInfo.processInfo.environment["CIRRUS_EVIDENCE"]
    private static let known = Mutex<Set<Hash128>>([])

    /// - Parameters:
    ///   - bytes: of the whole file.
    ///   - flippedBit: bit of `bytes` that is to be turned before it is read: millions of damaged segments in one file.
    package static func add(_ segment: SegmentID, _ bytes: [UInt8], stated: SegmentEnding?, flippedBit: Int? = nil) {
        guard let directory else { return }
        let content = Hash128(of: bytes.span.bytes, seed: 0)
        let line = "\(content.hex).wal \(segment) \(stated.map { "\($0.end)" } ?? "-") \(flippedBit ?? -1) "
        let lineBytes = Array(line.utf8)
        let key = Hash128(of: lineBytes.span.bytes, seed: 0)
        guard known.withLock({ $0.insert(key).inserted }) else { return }
        var damaged = bytes
        if let flippedBit { damaged[flippedBit / 8] ^= 1 << (flippedBit % 8) }
        let result = reading(segment, damaged, stated)
        known.withLock { _ in
            let path = "\(directory)/\(content.hex).wal"
            if access(path, F_OK) != 0 { append(bytes, to: path) }
            append(Array((line + result + "\n").utf8), to: directory + "/results.txt")
        }
    }

    /// XXH3-128 of `offset lsn kind rows` of every record before the end, the damaged ranges and the end.
    package static func reading(_ segment: SegmentID, _ bytes: [UInt8], _ stated: SegmentEnding?) -> String {
        let disk = SimulatedDisk()
        let wal = SegmentDirectory("/wal", in: disk)
        disk.plant(wal.path(of: segment), bytes)
        do {
            var scanner = try SegmentScanner(segment, statedEnding: stated, directory: wal, in: disk)
            scanner.visitsEveryKind = true
            var records: [(offset: UInt64, text: String)] = []
            let summary = try scanner.scan {
                records.append(($0.offset, "\($0.offset) \($0.lsn) \($0.kind.rawValue) \($0.rows)\n"))
            }
            guard summary.header != nil else { return "no-header" }
            var text = records.filter { $0.offset < summary.ending.end }.map(\.text).joined()
            text += summary.damage.map { "damage \($0.start) \($0.end)\n" }.joined() + "end \(summary.ending.end)\n"
            let utf8 = Array(text.utf8)
            return Hash128(of: utf8.span.bytes, seed: 0).hex
        } catch {
            return "error"
        }
    }

    private static func append(_ bytes: [UInt8], to path: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        _ = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        close(file)
    }
}
