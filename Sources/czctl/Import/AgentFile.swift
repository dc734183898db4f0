internal import CCompression
internal import Digest
internal import DiskIO
internal import Samples

/// Why a file of the CloudZero agent cannot be imported.
struct AgentFileError: Error, CustomStringConvertible {
    let path: String
    /// What is wrong, and where.
    let cause: String
    let advice: String

    var description: String { "cannot import \(path): \(cause); \(advice)" }

    static let copyAgain = "compare it with its original, or leave it out"
}

/// One file that the agent's collector closed: `<kind>_<startMs>_<stopMs>.json.br`, a JSON array of rows in one Brotli
/// stream.
struct AgentFile: Sendable {
    let path: String
    /// The last part of `path`.
    let name: String
    let stream: Streams
    let startMilliseconds: Int64

    /// nil for a name that the agent does not give.
    init?(path: String) {
        let name = String(path.split(separator: "/").last ?? "")
        guard name.hasSuffix(Self.suffix) else { return nil }
        let words = name.dropLast(Self.suffix.count).split(separator: "_", omittingEmptySubsequences: false)
        guard words.count == 3, let start = Int64(words[1]), let stop = Int64(words[2]), start >= 0, stop >= 0,
            words[1].utf8.allSatisfy({ $0 != UInt8(ascii: "+") }), words[2].utf8.allSatisfy({ $0 != UInt8(ascii: "+") })
        else { return nil }
        switch words[0] {
        case "metrics": stream = .cost
        case "observability": stream = .observability
        default: return nil
        }
        (self.path, self.name, startMilliseconds) = (path, name, start)
    }

    private static let suffix = ".json.br"
}

/// The text of an agent's file, piece by piece.
final class AgentText {
    private static let chunkByteCount = 256 << 10

    private let path: String
    private let file: File
    private let decoder = BrotliDecoder()
    private var digest: Digest? = Digest(.sha256)
    /// Bytes of the file that were read.
    private var offset: UInt64 = 0
    /// Bytes that were read and not taken.
    private var chunk: [UInt8] = []

    init(_ file: AgentFile, in fileSystem: any FileSystem) throws(IOError) {
        path = file.path
        self.file = try File(file.path, .read, in: fileSystem)
    }

    /// At most 256 KiB; nil at the end.
    /// - Throws: `AgentFileError` for bytes that are no Brotli stream; `IOError`.
    func next() throws -> [UInt8]? {
        while true {
            if chunk.isEmpty {
                chunk = try file.read(at: offset, count: Self.chunkByteCount)
                // SAFETY: UInt8 has no padding.
                digest?.update(unsafe chunk.span.bytes)
                offset += UInt64(chunk.count)
            }
            if decoder.isAtEnd {
                guard !chunk.isEmpty else { return nil }
                throw AgentFileError(
                    path: path, cause: "something follows its Brotli stream at byte \(offset - UInt64(chunk.count))",
                    advice: AgentFileError.copyAgain)
            }
            guard let (taken, text) = decoder.read(chunk) else {
                throw AgentFileError(
                    path: path, cause: "bad Brotli data before byte \(offset)", advice: AgentFileError.copyAgain)
            }
            guard taken > 0 || !text.isEmpty || decoder.isAtEnd else {
                // It asks for more, and there is no more.
                throw AgentFileError(
                    path: path, cause: "it ends within its Brotli stream, after \(offset) bytes",
                    advice: "copy it again, or leave it out: it is not complete")
            }
            chunk.removeFirst(taken)
            if !text.isEmpty { return text }
        }
    }

    /// The SHA-256 of the file, once `next` gave nil.
    func finish() -> [UInt8] { digest.take()?.finish() ?? [] }
}

/// One Brotli stream of libbrotlidec.
@safe private final class BrotliDecoder {
    /// Freed by `deinit` alone.
    private let stream: OpaquePointer
    private(set) var isAtEnd = false
    private static let outputByteCount = 256 << 10

    init() {
        // SAFETY: the stream is this object's own until `deinit` ends both.
        guard let stream = unsafe cbrotli_open() else { preconditionFailure("out of memory") }
        unsafe self.stream = stream
    }

    // SAFETY: nothing uses it afterwards.
    deinit { unsafe cbrotli_close(stream) }

    /// What comes of the front of `bytes`, and how many of them that took; nil for bad data.
    func read(_ bytes: [UInt8]) -> (taken: Int, text: [UInt8])? {
        var inCount = bytes.count
        var outCount = Self.outputByteCount
        var state: Int32 = 0
        // SAFETY: the library reads `inCount` bytes at most and writes at most `outCount`.
        let text = unsafe [UInt8](unsafeUninitializedCapacity: outCount) { buffer, count in
            unsafe bytes.withUnsafeBufferPointer { input in
                unsafe state = cbrotli_run(stream, input.baseAddress, &inCount, buffer.baseAddress, &outCount)
            }
            count = outCount
        }
        isAtEnd = state == 1
        return state < 0 ? nil : (inCount, text)
    }
}
