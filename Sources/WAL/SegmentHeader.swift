package import Bytes

/// How a segment ended, as its successor's header states it (I3).
package enum SegmentVerdict: UInt32, Sendable {
    /// There is no predecessor.
    case none = 0
    /// It ends with a seal record.
    case sealed = 1
    /// It ends without one, and nothing was cut: the process stopped.
    case unsealed = 2
    /// Bytes after the end were in flight and never acknowledged.
    case torn = 3
    /// A write or sync failed; the groups in flight were written again to the successor (I10).
    case poisoned = 4
    /// Acknowledged data in it is damaged; `quarantine/` has a copy.
    case damaged = 5
    /// The file is gone, or neither copy of its header can be read.
    case missing = 6
}

/// Where and how a segment ended.
package struct SegmentEnding: Equatable, Sendable {
    package let segment: SegmentID
    /// Logical end in bytes: nothing at or after it belongs to the log.
    package let end: UInt64
    package let lastLSN: UInt64
    package let verdict: SegmentVerdict
    /// XXH3-128 of the bytes from 4096 to `end`.
    package let hash: Hash128
    /// Rows of its batch records.
    package let rows: UInt64

    package init(
        segment: SegmentID, end: UInt64, lastLSN: UInt64, verdict: SegmentVerdict, hash: Hash128, rows: UInt64
    ) {
        self.segment = segment
        self.end = end
        self.lastLSN = lastLSN
        self.verdict = verdict
        self.hash = hash
        self.rows = rows
    }

    /// What a segment's successor on disk states of its end; nil when it cannot be read, or states one that is gone.
    ///
    /// A successor that names an older segment was begun after the opening of this one had failed: nothing of it was
    /// ever acknowledged.
    package static func stated(of segment: SegmentID, by successor: SegmentHeader?) -> SegmentEnding? {
        guard let predecessor = successor?.predecessor, predecessor.segment <= segment else { return nil }
        if predecessor.segment == segment { return predecessor }
        return SegmentEnding(
            segment: segment, end: WALFormat.blockBytes, lastLSN: predecessor.lastLSN, verdict: .unsealed,
            hash: Hash128Stream().value, rows: 0)
    }

    /// Before the first segment of a volume.
    package static let none = SegmentEnding(
        segment: SegmentID(0), end: 0, lastLSN: 0, verdict: .none, hash: Hash128(low: 0, high: 0), rows: 0)
}

/// First 4 KiB of a segment: two copies of this, at 0 and 2048, each with its own CRC. Layout: docs/formats/wal.md.
package struct SegmentHeader: Equatable, Sendable {
    static let magic: [UInt8] = Array("CIRRUSWL".utf8)
    static let byteCount = 136

    package let volume: VolumeID
    package let segment: SegmentID
    /// Random; begins every CRC of the segment.
    package let salt: UInt64
    /// Milliseconds since 1970, for display.
    package let createdAt: Int64
    package let firstLSN: UInt64
    /// Of the settings that decide what compaction makes of it.
    package let configuration: UInt64
    package let predecessor: SegmentEnding

    package init(
        volume: VolumeID, segment: SegmentID, salt: UInt64, createdAt: Int64, firstLSN: UInt64, configuration: UInt64,
        predecessor: SegmentEnding
    ) {
        self.volume = volume
        self.segment = segment
        self.salt = salt
        self.createdAt = createdAt
        self.firstLSN = firstLSN
        self.configuration = configuration
        self.predecessor = predecessor
    }

    /// The first 4096 bytes of the file.
    package func encode() -> [UInt8] {
        var out = ByteWriter(reserving: Int(WALFormat.blockBytes))
        out.raw(Self.magic)
        out.u32(0)
        out.u32(WALFormat.version)
        out.u64(volume.high)
        out.u64(volume.low)
        out.u64(segment.number)
        out.u64(salt)
        out.u64(UInt64(bitPattern: createdAt))
        out.u64(firstLSN)
        out.u64(configuration)
        out.u64(predecessor.segment.number)
        out.u64(predecessor.end)
        out.u64(predecessor.lastLSN)
        out.u32(predecessor.verdict.rawValue)
        out.u32(0)
        out.u64(predecessor.hash.low)
        out.u64(predecessor.hash.high)
        out.u64(predecessor.rows)
        out.zeros(Self.byteCount - out.count)
        // SAFETY: UInt8 has no padding.
        out.replaceU32(at: 8, with: CRC32C.extend(over: unsafe out.bytes.span.bytes.extracting(12..<Self.byteCount)))
        out.zeros(WALFormat.headerCopyBytes - out.count)
        out.raw(out.bytes)
        return out.bytes
    }

    /// The header from the first copy that is whole; nil when neither is.
    static func decode(_ bytes: [UInt8]) -> SegmentHeader? {
        decode(bytes, at: 0) ?? decode(bytes, at: WALFormat.headerCopyBytes)
    }

    private static func decode(_ bytes: [UInt8], at start: Int) -> SegmentHeader? {
        guard bytes.count >= start + byteCount else { return nil }
        let copy = Array(bytes[start..<start + byteCount])
        var reader = ByteReader(copy.span)
        do throws(ByteError) {
            guard try reader.array(8) == magic else { return nil }
            let crc = try reader.u32()
            // SAFETY: UInt8 has no padding.
            guard crc == CRC32C.extend(over: unsafe copy.span.bytes.extracting(12..<byteCount)) else { return nil }
            guard try reader.u32() == WALFormat.version else { return nil }
            let volume = VolumeID(high: try reader.u64(), low: try reader.u64())
            let segment = SegmentID(try reader.u64())
            let salt = try reader.u64()
            let createdAt = Int64(bitPattern: try reader.u64())
            let firstLSN = try reader.u64()
            let configuration = try reader.u64()
            let previous = SegmentID(try reader.u64())
            let end = try reader.u64()
            let lastLSN = try reader.u64()
            guard let verdict = SegmentVerdict(rawValue: try reader.u32()) else { return nil }
            _ = try reader.u32()
            let hash = Hash128(low: try reader.u64(), high: try reader.u64())
            let rows = try reader.u64()
            guard
                [segment.number, firstLSN, previous.number, end, lastLSN, rows].allSatisfy({
                    $0 < WALFormat.numberLimit
                })
            else { return nil }
            return SegmentHeader(
                volume: volume, segment: segment, salt: salt, createdAt: createdAt, firstLSN: firstLSN,
                configuration: configuration,
                predecessor: SegmentEnding(
                    segment: previous, end: end, lastLSN: lastLSN, verdict: verdict, hash: hash, rows: rows))
        } catch {
            return nil  // unreachable: the length was checked
        }
    }
}
