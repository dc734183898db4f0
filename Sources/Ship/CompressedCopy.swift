internal import CCompression
internal import Digest
internal import DiskIO

/// How the copy that is sent is compressed beyond what Parquet does. The object's key gets the suffix.
package enum UploadCompression: String, CaseIterable, Sendable {
    /// RFC 1952.
    case gzip
    /// RFC 8878.
    case zstd

    package var suffix: String {
        switch self {
        case .gzip: ".gz"
        case .zstd: ".zst"
        }
    }
}

/// A compressed copy of one file for one destination, in `compressed/` while it is sent. The same bytes come of the
/// same file and library; what a killed shipper left is swept at the next start.
struct CompressedCopy {
    let path: String
    /// Of the compressed bytes.
    let witness: FileWitness

    /// - Parameter original: of the file at `source`.
    /// - Throws: `IOError`; `ShipFailure` when the bytes are not `original` any more.
    init(
        of source: String, _ original: FileWitness, _ compression: UploadCompression, for destination: String,
        file: String, layout: VolumeLayout, in fileSystem: any FileSystem
    ) throws {
        if try !fileSystem.exists(layout.compressed) { try fileSystem.makeDirectory(layout.compressed) }
        // Two destinations may send the same file at once; a name may hold what a path must not.
        let mark = hex(Digest.of(Array(destination.utf8), .sha256)).prefix(8)
        path = "\(layout.compressed)/\(mark)-\(file)\(compression.suffix)"
        if try fileSystem.exists(path) { try fileSystem.remove(path) }
        let copy = try File(path, .create, in: fileSystem)
        let stream = try CompressionStream(compression)
        let running = RunningWitness()
        func write(_ bytes: [UInt8]) throws(IOError) {
            try copy.write(bytes, at: running.byteCount)
            running.update(bytes)
        }
        do {
            let read = try FileWitness.read(source, in: fileSystem) { (chunk, _) throws(IOError) in
                try stream.compress(chunk, isLast: false, into: write)
            }
            guard read == original else { throw ShipFailure(.fileRead, "\(source) changed while it was compressed") }
            try stream.compress([], isLast: true, into: write)
            guard !stream.isBroken else { throw ShipFailure(.fileCreate, "cannot compress \(source)") }
        } catch {
            // Its own failure would hide the first one; the next start sweeps the file.
            try? fileSystem.remove(path)
            throw error
        }
        witness = running.finish()
    }

    func remove(_ fileSystem: any FileSystem) throws(IOError) { try fileSystem.remove(path) }

    /// Removes what an earlier process left.
    static func sweep(_ layout: VolumeLayout, in fileSystem: any FileSystem) throws(IOError) {
        guard try fileSystem.exists(layout.compressed) else { return }
        for name in try fileSystem.list(layout.compressed) { try fileSystem.remove("\(layout.compressed)/\(name)") }
    }
}

/// One stream of the C libraries.
@safe private final class CompressionStream {
    /// Freed by `deinit` alone.
    private let stream: OpaquePointer
    /// The library said so; what it gave is not to be used.
    private(set) var isBroken = false
    private static let outputByteCount = 256 << 10

    init(_ compression: UploadCompression) throws(ShipFailure) {
        // SAFETY: the stream is this object's own until `deinit` ends both.
        guard let stream = unsafe ccompression_open(compression == .zstd ? 1 : 0) else {
            throw ShipFailure(.fileCreate, "no memory to compress")
        }
        unsafe self.stream = stream
    }

    // SAFETY: nothing uses it afterwards.
    deinit { unsafe ccompression_close(stream) }

    /// Gives `output` what comes of `bytes`; with `isLast` also the rest.
    func compress(_ bytes: [UInt8], isLast: Bool, into output: ([UInt8]) throws(IOError) -> Void) throws(IOError) {
        var taken = 0
        while !isBroken {
            var inCount = bytes.count - taken
            var outCount = Self.outputByteCount
            var state: Int32 = 0
            // SAFETY: the library reads `inCount` bytes from `taken` on and writes at most `outCount`.
            let produced = unsafe [UInt8](unsafeUninitializedCapacity: outCount) { buffer, count in
                unsafe bytes.withUnsafeBufferPointer { input in
                    let start = unsafe input.baseAddress.map { unsafe $0 + taken }
                    unsafe state = ccompression_run(
                        stream, start, &inCount, buffer.baseAddress, &outCount, isLast ? 1 : 0)
                }
                count = outCount
            }
            isBroken = state < 0
            taken += inCount
            if !produced.isEmpty { try output(produced) }
            let isDone = isLast ? state == 1 : taken == bytes.count && produced.count < Self.outputByteCount
            if isDone { return }
        }
    }
}
