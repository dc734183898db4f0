internal import Bytes
internal import DiskIO
internal import Logging
internal import Samples

/// How far the import of one file came: `imports/<SHA-256 of the file>`, text lines and their CRC-32C.
///
/// Before a request is handed to the log its fingerprint is written here, once it is durable the next one's. So of one
/// request at most it is not known whether the log has it, and each start of a collector looks that up in the log and
/// its manifests, before anything of them can expire.
struct ImportJournal: Equatable {
    /// What a start looks through while a journal is unsettled: manifests are kept so long, whatever `dedup.window` is.
    static let window = Duration.seconds(100 * 365 * 86_400)

    /// Lower-case hex of the file's SHA-256.
    let sha256: String
    /// As the file was called first.
    let name: String
    let rows: Int
    let requests: Int
    /// Requests that are in the log for certain.
    var stored = 0
    /// Rows of them that the limits refused.
    var refusedRows = 0
    /// The next request's, if it may be in the log.
    var handed: Hash128?

    var isComplete: Bool { stored == requests }

    /// The next request is in the log, or has nothing for it.
    mutating func advance(refused: Int) {
        stored += 1
        refusedRows += refused
        handed = nil
    }

    private var encoded: [UInt8] {
        let text = """
            cirrus-import 1
            file \(name)
            rows \(rows)
            requests \(requests)
            stored \(stored)
            refused \(refusedRows)
            handed \(handed?.hex ?? "-")

            """
        return Array((text + "crc32c \(Self.checksum(text))\n").utf8)
    }

    private static func checksum(_ text: String) -> String {
        let bytes = Array(text.utf8)
        // SAFETY: UInt8 has no padding.
        return String(CRC32C.extend(over: unsafe bytes.span.bytes), radix: 16)
    }

    /// nil when the text is damaged.
    private init?(sha256: String, _ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map {
            $0.split(separator: " ", maxSplits: 1).map(String.init)
        }
        let words = ["cirrus-import", "file", "rows", "requests", "stored", "refused", "handed", "crc32c"]
        guard lines.count == 9, lines[8].isEmpty, lines.prefix(8).map({ $0.first }) == words,
            lines.prefix(8).allSatisfy({ $0.count == 2 }), lines[0][1] == "1",
            let end = text.dropLast().lastIndex(of: "\n"), Self.checksum(String(text[...end])) == lines[7][1],
            let rows = Int(lines[2][1]), let requests = Int(lines[3][1]), let stored = Int(lines[4][1]),
            let refused = Int(lines[5][1]), 0...requests ~= stored
        else { return nil }
        self.init(sha256: sha256, name: lines[1][1], rows: rows, requests: requests)
        (self.stored, refusedRows) = (stored, refused)
        let digits = lines[6][1]
        guard digits != "-" else { return }
        guard digits.utf8.count == 32, let high = UInt64(digits.prefix(16), radix: 16),
            let low = UInt64(digits.suffix(16), radix: 16)
        else { return nil }
        handed = Hash128(low: low, high: high)
    }

    init(sha256: String, name: String, rows: Int, requests: Int) {
        (self.sha256, self.name, self.rows, self.requests) = (sha256, name, rows, requests)
    }

    /// `imports/` of a volume.
    struct Directory {
        private static let byteLimit = 4096

        private let path: String
        private let root: String
        private let fileSystem: any FileSystem

        init(_ layout: VolumeLayout, in fileSystem: any FileSystem) {
            (path, root, self.fileSystem) = (layout.imports, layout.root, fileSystem)
        }

        /// nil when the file was never begun.
        /// - Throws: `CommandFailure` for a damaged one.
        func read(_ sha256: String) throws -> ImportJournal? {
            let place = "\(path)/\(sha256)"
            guard try fileSystem.exists(place) else { return nil }
            if let journal = ImportJournal(
                sha256: sha256, try fileSystem.contents(of: place, limit: Self.byteLimit))
            {
                return journal
            }
            throw CommandFailure(
                .damage, "cannot tell how much of a file is imported: \(place) is damaged",
                try: "restore it, or remove it when nothing of that file was imported")
        }

        func write(_ journal: ImportJournal) throws {
            if try !fileSystem.exists(path) {
                try fileSystem.makeDirectory(path)
                try fileSystem.syncDirectory(root)
            }
            try fileSystem.publish(journal.encoded, at: "\(path)/\(journal.sha256)")
        }

        /// Those with a request that may be in the log. A damaged one is left alone: only an import needs it.
        func unsettled(_ logger: Logger) throws -> [ImportJournal] {
            guard try fileSystem.exists(path) else { return [] }
            return try fileSystem.list(path).compactMap { name in
                guard name.utf8.count == 64 else { return nil }
                do {
                    return try read(name)
                } catch let failure as CommandFailure {
                    logger.warning("an import's journal is damaged", metadata: ["error": "\(failure)"])
                    return nil
                }
            }.filter { $0.handed != nil }
        }

        /// Writes down what became of their requests.
        /// - Parameter known: every request of the log and its manifests.
        func settle(_ journals: [ImportJournal], known: [(fingerprint: Hash128, answer: BatchAnswer)]) throws {
            for var journal in journals {
                if let found = known.last(where: { $0.fingerprint == journal.handed }) {
                    journal.advance(refused: found.answer.rejectedSamples)
                } else {
                    journal.handed = nil
                }
                try write(journal)
            }
        }
    }
}
