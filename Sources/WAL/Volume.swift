internal import Bytes
package import DiskIO

/// The identity of a volume: 128 random bits, written as a UUID.
package struct VolumeID: Hashable, Sendable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package init(using generator: inout some RandomNumberGenerator) {
        // Version 4, variant 1 (RFC 9562 §5.4).
        high = (generator.next() & ~0xF000) | 0x4000
        low = (generator.next() & ~(0b11 << 62)) | (0b10 << 62)
    }

    /// From 32 hex digits with or without dashes.
    package init?(_ text: String) {
        let digits = text.filter { $0 != "-" }
        guard digits.utf8.count == 32, let high = UInt64(digits.prefix(16), radix: 16),
            let low = UInt64(digits.suffix(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    package var description: String {
        let digits = Array(Hash128(low: low, high: high).hex)
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }.joined(separator: "-")
    }
}

/// The file `VOLUME`: identity and the segment-id high-water mark, so that an emptied `wal/` cannot start again at 1
/// (I2).
///
/// Text, four lines: `cirrus-volume 1`, `uuid <UUID>`, `segments-below <n>`, `crc32c <hex of the lines before>`.
package struct Volume: Equatable, Sendable {
    package let id: VolumeID
    /// Every id below it may have been used. Raised in steps, so that rotation seldom writes it.
    package let segmentsBelow: UInt64

    package static let step: UInt64 = 1024

    package init(id: VolumeID, segmentsBelow: UInt64) {
        self.id = id
        self.segmentsBelow = segmentsBelow
    }

    package func write(_ layout: VolumeLayout, in fileSystem: any FileSystem) throws(IOError) {
        let lines = "cirrus-volume 1\nuuid \(id)\nsegments-below \(segmentsBelow)\n"
        try fileSystem.publish(Array((lines + "crc32c \(Self.checksum(lines))\n").utf8), at: layout.volume)
    }

    /// nil when there is none, or when it is damaged: then the segments' own headers say who they are.
    package static func read(_ layout: VolumeLayout, in fileSystem: any FileSystem) throws(IOError) -> Volume? {
        guard try fileSystem.exists(layout.volume) else { return nil }
        let text: String
        do throws(IOError) {
            text = String(decoding: try fileSystem.contents(of: layout.volume, limit: 4096), as: UTF8.self)
        } catch {
            guard error.operation == .read, error.code == Errno.inputOutput else { throw error }
            return nil
        }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: true)
        guard lines.count == 4, lines[0] == "cirrus-volume 1", lines[1].hasPrefix("uuid "),
            lines[2].hasPrefix("segments-below "), lines[3].hasPrefix("crc32c "),
            lines[3].dropFirst(7) == checksum(lines[..<3].joined(separator: "\n") + "\n"),
            let id = VolumeID(String(lines[1].dropFirst(5))), let below = UInt64(lines[2].dropFirst(15)),
            below < WALFormat.numberLimit
        else { return nil }
        return Volume(id: id, segmentsBelow: below)
    }

    private static func checksum(_ text: String) -> String {
        let bytes = Array(text.utf8)
        // SAFETY: UInt8 has no padding.
        return String(CRC32C.extend(over: unsafe bytes.span.bytes), radix: 16)
    }
}
