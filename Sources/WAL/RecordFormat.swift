internal import Bytes

/// A segment of the log: 1, 2, 3, ... of a volume; never used again (I2).
package struct SegmentID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let number: UInt64
    package init(_ number: UInt64) { self.number = number }

    package static func < (left: SegmentID, right: SegmentID) -> Bool { left.number < right.number }
    package var next: SegmentID { SegmentID(number + 1) }
    package var description: String { String(number) }
}

/// What a record is. Layout: docs/formats/wal.md.
package enum RecordKind: UInt8, Sendable {
    /// One request, whole: what the payload says is opaque here.
    case batch = 1
    /// Nothing but the durable position of everything before it.
    case witness = 2
    /// Zeros to the next block.
    case padding = 3
    /// The end of a sealed segment.
    case seal = 4
}

/// Constants of the format.
package enum WALFormat {
    package static let version: UInt32 = 1
    /// Groups begin at multiples of it, so an acknowledged byte never shares a block with one in flight.
    package static let blockBytes: UInt64 = 4096
    package static let headerCopyBytes = 2048
    package static let recordHeaderBytes = 40
    /// Longest stored payload.
    package static let payloadByteLimit = 64 << 20
    /// Segment ids, positions, ends and row counts are below it: sums of them never overflow. A file that says
    /// otherwise was not written by us, whatever its checksum.
    static let numberLimit: UInt64 = 1 << 60
    /// Records begin at multiples of it.
    static let alignment: UInt64 = 8
    static let isCompressedFlag: UInt8 = 1

    static func padded(_ count: Int) -> Int { (count + 7) & ~7 }
}

/// Header of a record: 40 bytes, 8-byte aligned, little endian.
///
/// ```
///  0 u32 header_crc  CRC-32C of (salt, segment id, offset) and bytes 4..<40
///  4 u32 payload_len stored bytes
///  8 u8  kind   9 u8 flags (1 = snappy)   10 u16 zero
/// 12 u32 payload_crc CRC-32C of (salt, segment id, offset) and the stored payload
/// 16 u64 lsn
/// 24 u64 durable_lsn  every lsn up to it was durable when this record was built
/// 32 u32 previous_crc header_crc of the record before it in the segment, 0 for the first
/// 36 u32 rows
/// ```
struct RecordHeader: Equatable {
    static let kindOffset = 8

    var payloadCount: Int
    var kind: UInt8
    var flags: UInt8
    var payloadCRC: UInt32
    var lsn: UInt64
    var durableLSN: UInt64
    var previousCRC: UInt32
    var rows: UInt32

    /// The bytes, and the CRC that begins them.
    func encode(keyed key: RecordKey) -> (bytes: [UInt8], crc: UInt32) {
        var out = ByteWriter(reserving: WALFormat.recordHeaderBytes)
        out.u32(0)
        out.u32(UInt32(payloadCount))
        out.u8(kind)
        out.u8(flags)
        out.u16(0)
        out.u32(payloadCRC)
        out.u64(lsn)
        out.u64(durableLSN)
        out.u32(previousCRC)
        out.u32(rows)
        // SAFETY: UInt8 has no padding.
        let crc = key.crc(over: unsafe out.bytes.span.bytes.extracting(4..<WALFormat.recordHeaderBytes))
        out.replaceU32(at: 0, with: crc)
        return (out.bytes, crc)
    }

    /// The header in `bytes` when its CRC holds there; nil otherwise.
    static func decode(_ bytes: RawSpan, keyed key: RecordKey) -> (header: RecordHeader, crc: UInt32)? {
        guard bytes.byteCount >= WALFormat.recordHeaderBytes else { return nil }
        let fields = bytes.extracting(0..<WALFormat.recordHeaderBytes)
        var reader = ByteReader(fields)
        do throws(ByteError) {
            let crc = try reader.u32()
            guard crc == key.crc(over: fields.extracting(4..<WALFormat.recordHeaderBytes)) else { return nil }
            let payloadCount = Int(try reader.u32())
            let kind = try reader.u8()
            let flags = try reader.u8()
            _ = try reader.u16()
            let header = RecordHeader(
                payloadCount: payloadCount, kind: kind, flags: flags, payloadCRC: try reader.u32(),
                lsn: try reader.u64(), durableLSN: try reader.u64(), previousCRC: try reader.u32(),
                rows: try reader.u32())
            guard kind != 0, payloadCount <= WALFormat.payloadByteLimit, header.lsn < WALFormat.numberLimit,
                header.durableLSN < WALFormat.numberLimit
            else { return nil }
            return (header, crc)
        } catch {
            return nil  // unreachable: the length was checked
        }
    }
}

/// What every CRC of a record begins with: its place. A block of another file, or another place, never passes.
struct RecordKey {
    private let seed: UInt32

    init(salt: UInt64, segment: SegmentID, offset: UInt64) {
        var out = ByteWriter(reserving: 24)
        out.u64(salt)
        out.u64(segment.number)
        out.u64(offset)
        // SAFETY: UInt8 has no padding.
        seed = CRC32C.extend(over: unsafe out.bytes.span.bytes)
    }

    func crc(over bytes: RawSpan) -> UInt32 { CRC32C.extend(seed, over: bytes) }
}
