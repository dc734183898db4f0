internal import Bytes
package import DiskIO

/// A record that waits to be written.
package struct PendingRecord: Sendable {
    package let payload: [UInt8]
    package let isCompressed: Bool
    package let rows: Int

    package init(payload: [UInt8], isCompressed: Bool, rows: Int) {
        self.payload = payload
        self.isCompressed = isCompressed
        self.rows = rows
    }
}

/// What does not change from segment to segment.
package struct SegmentOptions: Sendable {
    package let volume: VolumeID
    /// Space reserved for a segment: rotation size and headroom.
    package let reservedBytes: UInt64
    /// Goes into the headers.
    package let configuration: UInt64

    package init(volume: VolumeID, reservedBytes: UInt64, configuration: UInt64) {
        self.volume = volume
        self.reservedBytes = reservedBytes
        self.configuration = configuration
    }
}

/// The segment that is written, as a status page shows it.
package struct ActiveSegment: Equatable, Sendable {
    package let segment: SegmentID
    /// Bytes of the file that hold something.
    package let byteCount: UInt64
    package let rows: UInt64
    package let hasRecords: Bool
}

/// The one segment that is written. One thread owns it; every call is a whole durable step.
package struct SegmentWriter: ~Copyable {
    package let header: SegmentHeader
    private let file: File
    private var offset = WALFormat.blockBytes
    private var nextLSN: UInt64
    private var previousCRC: UInt32 = 0
    private var rows: UInt64 = 0
    private var hash: Hash128Stream
    private var image = ByteWriter()

    /// Makes the segment after `predecessor`: prepared aside, reserved, header fsynced, renamed, directory fsynced;
    /// only then may anything be appended (I2, I3).
    package init(
        after predecessor: SegmentEnding, id: SegmentID, options: SegmentOptions, salt: UInt64, createdAt: Int64,
        directory: SegmentDirectory, in fileSystem: any FileSystem
    ) throws(IOError) {
        precondition(id > predecessor.segment, "segment ids ascend")
        let header = SegmentHeader(
            volume: options.volume, segment: id, salt: salt, createdAt: createdAt, firstLSN: predecessor.lastLSN + 1,
            configuration: options.configuration, predecessor: predecessor)
        let prepared = directory.preparedPath(of: id)
        if try fileSystem.exists(prepared) { try fileSystem.remove(prepared) }
        let file = try File(prepared, .create, in: fileSystem)
        do throws(IOError) {
            try file.reserve(options.reservedBytes)
            try file.write(header.encode(), at: 0)
            try file.sync()
            try fileSystem.renameExclusively(prepared, to: directory.path(of: id))
            try fileSystem.syncDirectory(directory.path)
        } catch {
            // On a full disk the space of every attempt counts.
            try? file.setSize(WALFormat.blockBytes)  // fails: the space returns with the next start
            try? fileSystem.remove(prepared)  // fails: the next start sweeps it
            throw error
        }
        self.header = header
        self.file = file
        hash = Hash128Stream()
        nextLSN = header.firstLSN
    }

    package var segment: SegmentID { header.segment }
    /// Everything up to it is durable.
    private var durableLSN: UInt64 { nextLSN - 1 }

    /// What the segment holds now.
    package mutating func facts() -> ActiveSegment {
        ActiveSegment(segment: segment, byteCount: offset, rows: rows, hasRecords: nextLSN > header.firstLSN)
    }

    /// Where the segment ends now.
    package mutating func ending(_ verdict: SegmentVerdict) -> SegmentEnding {
        SegmentEnding(
            segment: segment, end: offset, lastLSN: durableLSN, verdict: verdict, hash: hash.value, rows: rows)
    }

    /// Writes one group and makes it durable: one write, one `fdatasync`. When it returns, every record is on disk
    /// (I1). When it throws, the segment is poisoned: the caller drops it and never syncs it again (I10).
    package mutating func append(_ records: [PendingRecord]) throws(IOError) {
        try appendGroup(.batch, records)
    }

    /// States that everything so far is durable: the proof that tells damage from a torn tail for the last group.
    package mutating func appendWitness() throws(IOError) {
        try appendGroup(.witness, [PendingRecord(payload: [], isCompressed: false, rows: 0)])
    }

    /// Ends the segment with a seal record and gives back the space it did not need.
    package mutating func seal() throws(IOError) -> SegmentEnding {
        try appendGroup(.seal, [PendingRecord(payload: sealPayload(), isCompressed: false, rows: 0)])
        let ending = ending(.sealed)
        try file.setSize(offset)
        return ending
    }

    /// Rows (u64) and the XXH3-128 of the body before the seal (two u64).
    private func sealPayload() -> [UInt8] {
        var out = ByteWriter(reserving: 24)
        out.u64(rows)
        let value = hash.value
        out.u64(value.low)
        out.u64(value.high)
        return out.bytes
    }

    private mutating func appendGroup(_ kind: RecordKind, _ records: [PendingRecord]) throws(IOError) {
        precondition(!records.isEmpty, "a group holds something")
        image.removeAll()
        let durable = durableLSN
        var lsn = nextLSN
        var crc = previousCRC
        var groupRows: UInt64 = 0
        for record in records {
            crc = add(kind, record, lsn: lsn, durableLSN: durable, previousCRC: crc)
            lsn += 1
            groupRows += UInt64(record.rows)
        }
        if let padding = paddingCount() {
            let zeros = PendingRecord(payload: [UInt8](repeating: 0, count: padding), isCompressed: false, rows: 0)
            crc = add(.padding, zeros, lsn: lsn, durableLSN: durable, previousCRC: crc)
            lsn += 1
        }
        assert(image.count % Int(WALFormat.blockBytes) == 0)
        try file.write(image.bytes, at: offset)
        try file.syncData()
        let written = image.bytes
        // SAFETY: UInt8 has no padding.
        hash.update(unsafe written.span.bytes)
        offset += UInt64(image.count)
        nextLSN = lsn
        previousCRC = crc
        rows += groupRows
    }

    private mutating func add(
        _ kind: RecordKind, _ record: PendingRecord, lsn: UInt64, durableLSN: UInt64, previousCRC: UInt32
    ) -> UInt32 {
        let key = RecordKey(salt: header.salt, segment: segment, offset: offset + UInt64(image.count))
        // SAFETY: UInt8 has no padding.
        let payloadCRC = key.crc(over: unsafe record.payload.span.bytes)
        let header = RecordHeader(
            payloadCount: record.payload.count, kind: kind.rawValue,
            flags: record.isCompressed ? WALFormat.isCompressedFlag : 0, payloadCRC: payloadCRC, lsn: lsn,
            durableLSN: durableLSN, previousCRC: previousCRC, rows: UInt32(record.rows))
        let (bytes, crc) = header.encode(keyed: key)
        image.raw(bytes)
        image.raw(record.payload)
        image.zeros(WALFormat.padded(record.payload.count) - record.payload.count)
        return crc
    }

    /// Payload bytes of the padding record that fills the block; nil when the block is full.
    private func paddingCount() -> Int? {
        let block = Int(WALFormat.blockBytes)
        let rest = (block - image.count % block) % block
        if rest == 0 { return nil }
        let short = rest - WALFormat.recordHeaderBytes
        return short >= 0 ? short : short + block
    }
}
