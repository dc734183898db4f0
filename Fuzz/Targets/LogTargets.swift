import Bytes
import DiskIO
import Samples
import TestKit
import WAL

/// A record payload; the first byte says whether the rest is compressed.
func fuzzBatch(_ input: UnsafeRawBufferPointer) {
    guard let first = input.first else { return }
    let payload = [UInt8](input.dropFirst())
    let isCompressed = first & 1 == 1
    do throws(BatchError) {
        let batch = try Batch(payload: payload, isCompressed: isCompressed)
        var inflated: [UInt8] = []
        let header = try BatchHeader(payload: payload, isCompressed: isCompressed, inflated: &inflated)
        require(header == batch.header, "a header that reads differently alone")
        check(batch)
    } catch {
        require(!error.description.isEmpty, "refused without a reason")
    }
}

/// Everything that a reader indexes by is inside.
private func check(_ batch: Batch) {
    let rows = batch.timestamps.count
    require(batch.references.count == rows && batch.values.count == rows, "columns of different lengths")
    require(batch.startTimestamps.isEmpty || batch.startTimestamps.count == rows, "start timestamps")
    let whole = batch.bytes.indices
    func isInside(_ slice: Batch.Slice) -> Bool { slice.range.lowerBound >= 0 && slice.range.upperBound <= whole.count }
    require(batch.labels.allSatisfy { isInside($0.name) && isInside($0.value) }, "a label outside")
    require(batch.histograms.allSatisfy { isInside($0.message) }, "a histogram outside")
    require(batch.metadata.allSatisfy { isInside($0.family) && isInside($0.help) && isInside($0.unit) }, "metadata")
    let ranges = batch.series.map(\.labels) + batch.exemplars.map(\.labels)
    require(ranges.allSatisfy { $0.upperBound <= batch.labelReferences.count }, "a label set outside")
    require(batch.labelReferences.allSatisfy { $0 < batch.labels.count }, "no such label")
    for label in batch.labels { _ = batch.text(label.name) + batch.text(label.value) }
}

/// A directory of segments. Byte 0 are flags, byte 1 to 8 the newest's id; then for each segment 136 bytes of header,
/// u16 length, and as many bytes of records.
///
/// Checksums are made right by default: what a mutation changes must get past them to be read at all.
func fuzzSegment(_ input: UnsafeRawBufferPointer) {
    let bytes = [UInt8](input)
    guard bytes.count >= 9 else { return }
    let flags = bytes[0]
    let newest = word(bytes, 1)
    let disk = SimulatedDisk()
    let layout = VolumeLayout(root: "/v")
    do throws(IOError) {
        for path in [layout.root, layout.wal, layout.quarantine] { try disk.makeDirectory(path) }
    } catch {
        fatalError("no directories: \(error)")
    }
    let directory = SegmentDirectory(layout.wal, in: disk)
    var segments = segmentBodies(bytes)
    if segments.isEmpty { segments = [(header: [], records: [])] }
    for (index, part) in segments.enumerated() {
        let id = SegmentID(newest &- UInt64(segments.count - 1 - index))
        let content = file(part.header, part.records, id, repairs: flags & 1 == 0)
        disk.plant(directory.path(of: id), Array(content.prefix(flags & 2 == 0 ? content.count : 3000)))
    }
    if flags & 4 != 0 {
        disk.plant(layout.volume, Array(bytes.suffix(120)))
    }
    let once = recover(layout, disk)
    require(once == recover(layout, disk), "recovering twice found different things")
}

private func segmentBodies(_ bytes: [UInt8]) -> [(header: [UInt8], records: [UInt8])] {
    var parts: [(header: [UInt8], records: [UInt8])] = []
    var at = 9
    while at + 138 <= bytes.count, parts.count < 4 {
        let length = Int(bytes[at + 136]) | Int(bytes[at + 137]) << 8
        let start = at + 138
        let end = min(start + length, bytes.count)
        parts.append((Array(bytes[at..<at + 136]), Array(bytes[start..<end])))
        at = end
    }
    return parts
}

/// The segment's bytes: header copies at 0 and 2048, records from 4096 on, checksums right if `repairs`.
private func file(_ header: [UInt8], _ records: [UInt8], _ id: SegmentID, repairs: Bool) -> [UInt8] {
    guard header.count == 136 else { return records }
    var copy = header
    if repairs {
        copy.replaceSubrange(0..<8, with: Array("CIRRUSWL".utf8))
        put(1, 4, at: 12, in: &copy)
        put(id.number, 8, at: 32, in: &copy)
        put(UInt64(crc([], copy[12...])), 4, at: 8, in: &copy)
    }
    let salt = word(copy, 40)
    copy += [UInt8](repeating: 0, count: 2048 - copy.count)
    var bytes = copy + copy + records
    var at = 4096
    var previous: UInt32 = 0
    while repairs, at + 40 <= bytes.count {
        var key = [UInt8]()
        for word in [salt, id.number, UInt64(at)] { put(word, 8, at: key.count, in: &key) }
        let rest = bytes.count - at - 40
        let length = min(Int(truncatingIfNeeded: word(bytes, at + 4) & 0xFFFF), rest)
        put(UInt64(length), 4, at: at + 4, in: &bytes)
        put(UInt64(crc(key, bytes[(at + 40)..<(at + 40 + length)])), 4, at: at + 12, in: &bytes)
        // Byte 10 must be zero in a record; here it asks for a wrong chain.
        if bytes[at + 10] & 1 == 0 { put(UInt64(previous), 4, at: at + 32, in: &bytes) }
        previous = crc(key, bytes[(at + 4)..<(at + 40)])
        put(UInt64(previous), 4, at: at, in: &bytes)
        at += 40 + (length + 7) & ~7
    }
    return bytes
}

private func crc(_ key: [UInt8], _ bytes: ArraySlice<UInt8>) -> UInt32 {
    let keyed = CRC32C.extend(over: key.span.bytes)
    return CRC32C.extend(key.isEmpty ? 0 : keyed, over: Array(bytes).span.bytes)
}

private func word(_ bytes: [UInt8], _ at: Int) -> UInt64 {
    (0..<8).reduce(0) { $0 | UInt64(at + $1 < bytes.count ? bytes[at + $1] : 0) << UInt64(8 * $1) }
}

private func put(_ value: UInt64, _ count: Int, at: Int, in bytes: inout [UInt8]) {
    if bytes.count < at + count { bytes += [UInt8](repeating: 0, count: at + count - bytes.count) }
    for index in 0..<count { bytes[at + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
}

/// What a start finds: the end, and every record that counts.
private func recover(_ layout: VolumeLayout, _ disk: SimulatedDisk) -> [String] {
    var found: [String] = []
    do {
        let log = try Recovery(layout, in: disk).run(retired: [], newVolume: VolumeID(high: 1, low: 2)) { id, record in
            found.append("\(id) \(record.lsn) \(record.rows) \(record.payload.count)")
            // A payload that cannot be read is for the compaction to report.
            _ = try? Batch(payload: record.payload, isCompressed: record.isCompressed)
        }
        for segment in log.segments {
            require(segment.rowsLost <= segment.ending.rows, "more rows lost than there were")
            require(segment.damage.allSatisfy { $0.start <= $0.end }, "damage that ends before it begins")
            found.append("\(segment.segment) \(segment.ending) \(segment.damage)")
        }
        found.append("\(log.newest) \(log.nextSegment) \(log.volume) \(log.missing)")
    } catch {
        fatalError("a start failed: \(error)")
    }
    return found
}
