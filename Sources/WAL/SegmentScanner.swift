internal import Bytes
package import DiskIO

/// A record that was read, its checksums good.
package struct Record: Sendable {
    package let kind: RecordKind
    /// Byte offset of its header.
    package let offset: UInt64
    package let lsn: UInt64
    package let durableLSN: UInt64
    package let rows: Int
    package let isCompressed: Bool
    /// Stored bytes of the payload.
    package let payloadByteCount: Int
    /// Empty for padding.
    package let payload: [UInt8]
}

/// Bytes of a segment that do not hold what was written there.
package struct DamagedRange: Equatable, Sendable {
    package let start: UInt64
    /// End, exclusive: the next good record, or the segment's end.
    package let end: UInt64
    /// First record missing.
    package let firstLSN: UInt64
    /// Rows lost, where the record's header could still be read; 0 where the bytes hold nothing; nil when nobody can
    /// know.
    package let rows: Int?
}

/// What a scan found.
package struct SegmentSummary: Sendable {
    package let segment: SegmentID
    /// nil when neither copy of the header could be read.
    package let header: SegmentHeader?
    /// Length of the file.
    package let fileBytes: UInt64
    /// Logical end, verdict and hash: what a successor's header states.
    package let ending: SegmentEnding
    /// Damage to what was acknowledged, by place. Empty for a torn tail.
    package let damage: [DamagedRange]
    /// Records before the end.
    package let recordCount: Int
    /// Rows of the good batch records before the end.
    package let rowsRead: UInt64

    /// Rows that the ending states and no record holds any more.
    package var rowsLost: UInt64 { ending.rows - min(ending.rows, rowsRead) }
}

/// Reads a segment: every record, every damaged byte, and where it ends.
///
/// Torn or damaged is decided by proof (I3): a damaged place is damage to acknowledged data when a later record states
/// that it was durable, or when the successor's header puts the end behind it. Otherwise nobody was told that it was
/// written, and the log ends there.
package struct SegmentScanner: ~Copyable {
    private static let windowBytes = 1 << 20

    /// Gives witnesses, padding and seals to the visitor too; batches only, unless a listing asks.
    package var visitsEveryKind = false

    private let segment: SegmentID
    private let header: SegmentHeader?
    private let statedEnding: SegmentEnding?
    private let limit: UInt64
    private let file: SegmentFile
    private var fileBytes: UInt64 { file.byteCount }

    private var window: [UInt8] = []
    /// Of the record in work: its memory is used again once the visitor has let go of the record.
    private var payload: [UInt8] = []
    private var windowStart: UInt64 = 0

    private var expectedLSN: UInt64
    private var previousCRC: UInt32? = 0
    private var maxDurableLSN: UInt64 = 0
    private var lastGoodLSN: UInt64
    /// End of the last good record.
    private var lastRecordEnd = WALFormat.blockBytes
    private var suspects: [Suspect] = []
    /// Bytes that must be zero and are not: noticed, and nothing is lost with them.
    private var stains: [DamagedRange] = []

    /// A damaged range, and the state of the scan before it.
    private struct Suspect {
        var range: DamagedRange
        let lastGoodLSN: UInt64
        let rows: UInt64
        let records: Int
    }

    /// - Parameter statedEnding: what the successor's header says; nil for the newest segment.
    package init(
        _ segment: SegmentID, statedEnding: SegmentEnding?, directory: SegmentDirectory, in fileSystem: any FileSystem
    ) throws(IOError) {
        let file = try SegmentFile(directory.path(of: segment), in: fileSystem)
        let fileBytes = file.byteCount
        let first = try file.read(at: 0, count: Int(WALFormat.blockBytes))
        self.segment = segment
        self.statedEnding = statedEnding
        self.file = file
        if let found = SegmentHeader.decode(first), found.segment == segment { header = found } else { header = nil }
        limit = max(WALFormat.blockBytes, statedEnding.map { min($0.end, fileBytes) } ?? fileBytes)
        if let header, first != header.encode() {
            stains = [DamagedRange(start: 0, end: WALFormat.blockBytes, firstLSN: header.firstLSN, rows: 0)]
        }
        expectedLSN = header?.firstLSN ?? 0
        lastGoodLSN = expectedLSN == 0 ? 0 : expectedLSN - 1
    }

    /// Reads the whole segment. `visit` is given every good record, also those behind a torn place: the summary's
    /// `ending` says which ones count. Without a readable header nothing can be checked, so nothing is visited.
    package mutating func scan(_ visit: (Record) throws -> Void) throws -> SegmentSummary {
        guard let header else { return headless() }
        var position = WALFormat.blockBytes
        var rows: UInt64 = 0
        var records = 0
        var sealed = false
        while position < limit {
            switch try read(at: position, salt: header.salt) {
            case .good(let record, let crc, let next):
                guard let kind = record else {
                    position = next
                    continue
                }
                note(gapBefore: kind, at: position, rows: rows, records: records)
                previousCRC = crc
                expectedLSN = kind.lsn + 1
                lastGoodLSN = kind.lsn
                lastRecordEnd = next
                maxDurableLSN = max(maxDurableLSN, kind.durableLSN)
                if kind.kind != .padding { sealed = kind.kind == .seal }
                rows += UInt64(kind.rows)
                records += 1
                if visitsEveryKind || kind.kind == .batch { try visit(kind) }
                position = next
            case .bad(let next, let lostRows):
                suspect(position..<next, lostRows: lostRows, rows: rows, records: records)
                previousCRC = nil
                position = next
            case .blank:
                position = limit
            }
        }
        return try summary(header, sealed: sealed, rows: rows, records: records)
    }

    // MARK: One place

    private enum Found {
        /// nil record: of a kind this program does not know, skipped by its length.
        case good(Record?, crc: UInt32, next: UInt64)
        case bad(next: UInt64, rows: Int?)
        /// Zeros to the end of the file: space that was never written.
        case blank
    }

    private mutating func read(at position: UInt64, salt: UInt64) throws(IOError) -> Found {
        let key = RecordKey(salt: salt, segment: segment, offset: position)
        try fill(position, WALFormat.recordHeaderBytes)
        let start = Int(position - windowStart)
        // SAFETY: UInt8 has no padding; both ends are inside the window.
        let found = unsafe RecordHeader.decode(
            window.span.bytes.extracting(min(start, window.count)..<window.count), keyed: key)
        guard let (header, crc) = found, header.lsn >= expectedLSN else {
            if statedEnding == nil, try isBlank(from: position) { return .blank }
            return .bad(next: try resynchronize(after: position, salt: salt), rows: nil)
        }
        let next = position + UInt64(WALFormat.recordHeaderBytes + WALFormat.padded(header.payloadCount))
        guard next <= limit else { return .bad(next: limit, rows: Int(header.rows)) }
        try fill(position, Int(next - position))
        let from = Int(position - windowStart) + WALFormat.recordHeaderBytes
        let kind = RecordKind(rawValue: header.kind)
        var bytes: [UInt8] = []
        swap(&bytes, &payload)
        bytes.removeAll(keepingCapacity: true)
        do {
            // SAFETY: as above; fill made sure of the payload or came to the end of the file.
            let stored = unsafe window.span.bytes.extracting(from..<min(from + header.payloadCount, window.count))
            guard stored.byteCount == header.payloadCount, key.crc(over: stored) == header.payloadCRC,
                previousCRC == nil || previousCRC == header.previousCRC
            else { return .bad(next: next, rows: Int(header.rows)) }
            if kind != nil, kind != .padding { bytes.append(stored) }
        }
        noteStain(position + UInt64(WALFormat.recordHeaderBytes + header.payloadCount)..<next, lsn: header.lsn)
        payload = bytes
        guard let kind else { return .good(nil, crc: crc, next: next) }
        let record = Record(
            kind: kind, offset: position, lsn: header.lsn, durableLSN: header.durableLSN, rows: Int(header.rows),
            isCompressed: header.flags & WALFormat.isCompressedFlag != 0, payloadByteCount: header.payloadCount,
            payload: bytes)
        return .good(record, crc: crc, next: next)
    }

    /// Looks at the zeros between a payload and the next record.
    private mutating func noteStain(_ zeros: Range<UInt64>, lsn: UInt64) {
        let start = Int(zeros.lowerBound - windowStart)
        let isStained = window[min(start, window.count)...].prefix(zeros.count).contains { $0 != 0 }
        guard isStained else { return }
        stains.append(DamagedRange(start: zeros.lowerBound, end: zeros.upperBound, firstLSN: lsn, rows: 0))
    }

    /// The next place with a good record header, or the limit: what a damaged header hides is its own record, not the
    /// rest of its group.
    private mutating func resynchronize(after position: UInt64, salt: UInt64) throws(IOError) -> UInt64 {
        var candidate = (position / WALFormat.alignment + 1) * WALFormat.alignment
        while candidate < limit {
            try fill(candidate, WALFormat.recordHeaderBytes)
            let start = Int(candidate - windowStart)
            guard start + WALFormat.recordHeaderBytes <= window.count else { break }
            // Zeros are no header: most of what is looked at costs no checksum.
            if window[start + RecordHeader.kindOffset] != 0 {
                let key = RecordKey(salt: salt, segment: segment, offset: candidate)
                // SAFETY: UInt8 has no padding; both ends are inside the window.
                let found = unsafe RecordHeader.decode(
                    window.span.bytes.extracting(start..<start + WALFormat.recordHeaderBytes), keyed: key)
                if let found, found.header.lsn >= expectedLSN { return candidate }
            }
            candidate += WALFormat.alignment
        }
        return limit
    }

    private mutating func isBlank(from position: UInt64) throws(IOError) -> Bool {
        var at = position
        while at < fileBytes {
            try fill(at, 1)
            let start = Int(at - windowStart)
            if window[start...].contains(where: { $0 != 0 }) { return false }
            at = windowStart + UInt64(window.count)
        }
        return true
    }

    /// Makes the window hold `count` bytes from `position`, as far as the file has them.
    private mutating func fill(_ position: UInt64, _ count: Int) throws(IOError) {
        let end = position + UInt64(count)
        if position >= windowStart, end <= windowStart + UInt64(window.count) { return }
        if position >= windowStart, windowStart + UInt64(window.count) >= fileBytes { return }
        let wanted = max(count, Self.windowBytes)
        let rest = fileBytes - min(position, fileBytes)
        try file.read(at: position, count: Int(min(UInt64(wanted), rest)), into: &window)
        windowStart = position
    }

    // MARK: Verdict

    private mutating func note(gapBefore record: Record, at position: UInt64, rows: UInt64, records: Int) {
        guard record.lsn > expectedLSN else { return }
        if let last = suspects.last, last.range.end == position { return }
        // Records are missing although no byte between looked wrong: an older group stands where a newer one was.
        let range = DamagedRange(start: position, end: position, firstLSN: expectedLSN, rows: nil)
        suspects.append(Suspect(range: range, lastGoodLSN: lastGoodLSN, rows: rows, records: records))
    }

    private mutating func suspect(_ range: Range<UInt64>, lostRows: Int?, rows: UInt64, records: Int) {
        if let last = suspects.last, last.range.end == range.lowerBound {
            let sum = last.range.rows.flatMap { first in lostRows.map { first + $0 } }
            suspects[suspects.count - 1].range = DamagedRange(
                start: last.range.start, end: range.upperBound, firstLSN: last.range.firstLSN, rows: sum)
            return
        }
        let damaged = DamagedRange(
            start: range.lowerBound, end: range.upperBound, firstLSN: expectedLSN, rows: lostRows)
        suspects.append(Suspect(range: damaged, lastGoodLSN: lastGoodLSN, rows: rows, records: records))
    }

    private func summary(
        _ header: SegmentHeader, sealed: Bool, rows: UInt64, records: Int
    ) throws -> SegmentSummary {
        if let statedEnding {
            var damage = stains + suspects.map(\.range)
            if fileBytes < statedEnding.end {
                damage.append(
                    DamagedRange(start: fileBytes, end: statedEnding.end, firstLSN: lastGoodLSN + 1, rows: nil))
            }
            return SegmentSummary(
                segment: segment, header: header, fileBytes: fileBytes, ending: statedEnding,
                damage: damage.sorted { $0.start < $1.start }, recordCount: records, rowsRead: rows)
        }
        let torn = suspects.first { $0.range.firstLSN > maxDurableLSN }
        let end = torn?.range.start ?? lastRecordEnd
        let damage = stains.filter { $0.start < end } + suspects.map(\.range).filter { $0.firstLSN <= maxDurableLSN }
        let verdict: SegmentVerdict =
            !damage.isEmpty ? .damaged : torn != nil ? .torn : sealed ? .sealed : .unsealed
        let rowsRead = torn?.rows ?? rows
        // What the successor will state: with the rows that are known to be lost.
        let stated = damage.reduce(rowsRead) { $0 + UInt64($1.rows ?? 0) }
        let ending = SegmentEnding(
            segment: segment, end: end, lastLSN: torn?.lastGoodLSN ?? lastGoodLSN, verdict: verdict,
            hash: try hash(to: end), rows: stated)
        return SegmentSummary(
            segment: segment, header: header, fileBytes: fileBytes, ending: ending,
            damage: damage.sorted { $0.start < $1.start }, recordCount: torn?.records ?? records, rowsRead: rowsRead)
    }

    /// XXH3-128 of the body up to `end`, read again: only the newest segment needs it.
    private func hash(to end: UInt64) throws(IOError) -> Hash128 {
        var stream = Hash128Stream()
        var at = WALFormat.blockBytes
        while at < end {
            let bytes = try file.read(at: at, count: Int(min(UInt64(Self.windowBytes), end - at)))
            if bytes.isEmpty { break }
            // SAFETY: UInt8 has no padding.
            stream.update(unsafe bytes.span.bytes)
            at += UInt64(bytes.count)
        }
        return stream.value
    }

    /// Neither header copy can be read: the salt is gone, so no record can be checked and all of it is damaged.
    private func headless() -> SegmentSummary {
        // A file shorter than its header was never renamed into place by us, or lost its bytes to the medium.
        let ending =
            statedEnding
            ?? SegmentEnding(
                segment: segment, end: WALFormat.blockBytes, lastLSN: 0, verdict: .missing,
                hash: Hash128(low: 0, high: 0), rows: 0)
        let damage = DamagedRange(start: 0, end: max(fileBytes, ending.end), firstLSN: 0, rows: nil)
        return SegmentSummary(
            segment: segment, header: nil, fileBytes: fileBytes, ending: ending, damage: [damage], recordCount: 0,
            rowsRead: 0)
    }
}
