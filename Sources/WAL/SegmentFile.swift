internal import DiskIO

/// A segment's file, read around the blocks that the medium does not give back: a read error is damage to those bytes,
/// never the end of the log (I3, I4).
struct SegmentFile: ~Copyable {
    /// Granularity of a medium's read errors.
    private static let sectorBytes = 512
    /// Stands for a byte that cannot be read: no header and no checksum begins so, and it is not blank space.
    private static let unreadable: UInt8 = 0xFF

    private let file: File
    let byteCount: UInt64

    init(_ path: String, in fileSystem: any FileSystem) throws(IOError) {
        let file = try File(path, .read, in: fileSystem)
        byteCount = try file.size()
        self.file = file
    }

    /// Up to `count` bytes at `offset`, fewer only at the end of the file.
    func read(at offset: UInt64, count: Int) throws(IOError) -> [UInt8] {
        var bytes: [UInt8] = []
        try read(at: offset, count: count, into: &bytes)
        return bytes
    }

    /// The same, in place of what `buffer` held: its memory is used again.
    func read(at offset: UInt64, count: Int, into buffer: inout [UInt8]) throws(IOError) {
        if buffer.count < count { buffer.append(contentsOf: repeatElement(0, count: count - buffer.count)) }
        if buffer.count > count { buffer.removeLast(buffer.count - count) }
        do throws(IOError) {
            buffer.removeLast(count - (try file.read(at: offset, into: &buffer)))
        } catch {
            guard error.operation == .read, error.code == Errno.inputOutput else { throw error }
            buffer = try readAround(offset, Int(min(UInt64(count), byteCount - min(offset, byteCount))))
        }
    }

    /// Block by block, and sector by sector where a block fails.
    private func readAround(_ offset: UInt64, _ count: Int) throws(IOError) -> [UInt8] {
        var bytes: [UInt8] = []
        var step = Int(WALFormat.blockBytes)
        while bytes.count < count {
            let wanted = min(step, count - bytes.count)
            do throws(IOError) {
                let got = try file.read(at: offset + UInt64(bytes.count), count: wanted)
                if got.isEmpty { break }  // shorter than it said
                bytes += got
                if bytes.count % Int(WALFormat.blockBytes) == 0 { step = Int(WALFormat.blockBytes) }
            } catch {
                guard error.operation == .read, error.code == Errno.inputOutput else { throw error }
                if wanted <= Self.sectorBytes {
                    bytes += repeatElement(Self.unreadable, count: wanted)
                } else {
                    step = Self.sectorBytes
                }
            }
        }
        return bytes
    }
}
