package import Bytes
package import Samples
package import WAL

/// The commit manifest of a plan: its publication is the commit point (design.md §3).
///
/// `wal/<first>-<last>.commit`, later `.done`: text lines, twice, each copy with the CRC-32C of its lines. Layout:
/// docs/formats/manifest.md.
package struct Manifest: Equatable, Sendable {
    package struct Segment: Equatable, Sendable {
        package let id: SegmentID
        package let rows: UInt64
        package let fate: Fate
    }

    /// What becomes of a segment once the plan's files are published.
    package enum Fate: String, Sendable {
        case removed
        /// Renamed to `.kept`, because it holds what is in no file.
        case kept
        /// It was kept by an earlier plan, and is removed now.
        case taken
    }

    /// A request of the plan: its fingerprint and the answer, without the text of a 400.
    package struct Request: Equatable, Sendable {
        package let fingerprint: Hash128
        package let receivedAt: Int64
        package let answer: BatchAnswer

        package init(fingerprint: Hash128, receivedAt: Int64, answer: BatchAnswer) {
            self.fingerprint = fingerprint
            self.receivedAt = receivedAt
            self.answer = answer.withoutReasons
        }

        init(_ header: BatchHeader) {
            self.init(fingerprint: header.fingerprint, receivedAt: header.receivedAt, answer: header.answer)
        }
    }

    package var volume: VolumeID
    package var segments: [Segment]
    package var configuration: UInt64
    package var files: [CompactedFile]
    /// Rows by what became of them: `log`, `written`, `deduplicated`, `conflicts`, `quarantined`, ...
    package var counts: [(reason: String, rows: Int)]
    package var requests: [Request]

    package static func == (left: Manifest, right: Manifest) -> Bool { left.bytes == right.bytes }

    package var first: SegmentID { segments.first?.id ?? SegmentID(0) }
    package var last: SegmentID { segments.last?.id ?? SegmentID(0) }

    /// Of segments that an earlier plan kept.
    var isOfKept: Bool { segments.first?.fate == .taken }

    /// `<first>-<last>`, 20 digits each; of kept segments, whose first plan had that name, `<first>-<last>.kept`.
    package var stem: String {
        let range = "\(SegmentDirectory.digits(first))-\(SegmentDirectory.digits(last))"
        return isOfKept ? range + Self.keptSuffix : range
    }

    static let keptSuffix = ".kept"

    /// Bytes of a piece, about.
    private static let pieceByteCount = 64 << 10

    /// The file's bytes in pieces, in order: a busy plan has hundreds of thousands of requests, and is not in memory
    /// once more as text.
    func encode<Failure>(_ write: ([UInt8]) throws(Failure) -> Void) throws(Failure) {
        var piece: [UInt8] = []
        for _ in 0..<2 {
            var checksum: UInt32 = 0
            func add(_ line: String) throws(Failure) {
                let start = piece.count
                piece += line.utf8
                // SAFETY: UInt8 has no padding; the line was added behind start.
                checksum = CRC32C.extend(checksum, over: unsafe piece.span.bytes.extracting(start..<piece.count))
                guard piece.count >= Self.pieceByteCount else { return }
                try write(piece)
                piece.removeAll(keepingCapacity: true)
            }
            try add("cirrus-manifest 1\nvolume \(volume)\nconfiguration \(configuration)\n")
            for segment in segments {
                try add("segment \(segment.id) \(segment.rows) \(segment.fate.rawValue)\n")
            }
            for file in files { try add("file \(file.name) \(file.byteCount) \(file.sha256) \(file.rows)\n") }
            for count in counts { try add("count \(count.reason) \(count.rows)\n") }
            for request in requests { try add(Self.line(request)) }
            piece += "crc32c \(String(checksum, radix: 16))\n".utf8
        }
        try write(piece)
    }

    private static func line(_ request: Request) -> String {
        let (answer, written) = (request.answer, request.answer.written)
        return "request \(request.fingerprint.hex) \(request.receivedAt) \(answer.status)"
            + " \(written.samples) \(written.histograms) \(written.exemplars) \(written.metadata)"
            + " \(answer.rejectedSamples) \(answer.filteredSamples)\n"
    }

    private var bytes: [UInt8] {
        var bytes: [UInt8] = []
        encode { bytes += $0 }
        return bytes
    }

    /// The manifest from the first copy that is whole; nil when neither is.
    static func decode(_ bytes: [UInt8]) -> Manifest? {
        let half = bytes.count / 2
        return decodeCopy(bytes[..<half]) ?? decodeCopy(bytes[half...])
    }

    private static func decodeCopy(_ bytes: ArraySlice<UInt8>) -> Manifest? {
        let newline = UInt8(ascii: "\n")
        guard bytes.last == newline, let end = bytes.dropLast().lastIndex(of: newline) else { return nil }
        var rest = bytes[...end]
        // SAFETY: UInt8 has no padding.
        let checksum = CRC32C.extend(over: unsafe rest.span.bytes)
        guard bytes[(end + 1)...].elementsEqual("crc32c \(String(checksum, radix: 16))\n".utf8) else { return nil }
        var manifest = Manifest(
            volume: VolumeID(high: 0, low: 0), segments: [], configuration: 0, files: [], counts: [], requests: [])
        var isFirst = true
        // Line by line: all of them as texts would be many times the file.
        while let end = rest.firstIndex(of: newline) {
            let words = String(decoding: rest[..<end], as: UTF8.self).split(separator: " ").map(String.init)
            rest = rest[(end + 1)...]
            guard isFirst ? words == ["cirrus-manifest", "1"] : manifest.add(words) else { return nil }
            isFirst = false
        }
        return manifest.segments.isEmpty ? nil : manifest
    }

    /// Takes one line; false when it is none of ours.
    private mutating func add(_ words: [String]) -> Bool {
        switch (words.first, words.count) {
        case ("volume", 2):
            guard let id = VolumeID(words[1]) else { return false }
            volume = id
        case ("configuration", 2):
            guard let value = UInt64(words[1]) else { return false }
            configuration = value
        case ("segment", 4):
            guard let id = UInt64(words[1]), let rows = UInt64(words[2]), let fate = Fate(rawValue: words[3]) else {
                return false
            }
            segments.append(Segment(id: SegmentID(id), rows: rows, fate: fate))
        case ("file", 5):
            guard let byteCount = UInt64(words[2]), let rows = Int(words[4]) else { return false }
            files.append(CompactedFile(name: words[1], byteCount: byteCount, sha256: words[3], rows: rows))
        case ("count", 3):
            guard let rows = Int(words[2]) else { return false }
            counts.append((words[1], rows))
        case ("request", 10):
            guard let request = Self.request(words) else { return false }
            requests.append(request)
        default: return false
        }
        return true
    }

    private static func request(_ words: [String]) -> Request? {
        let digits = words[1]
        guard digits.utf8.count == 32, let high = UInt64(digits.prefix(16), radix: 16),
            let low = UInt64(digits.suffix(16), radix: 16), let receivedAt = Int64(words[2]),
            let status = UInt16(words[3])
        else { return nil }
        let counts = words[4...].compactMap { Int($0) }
        guard counts.count == 6 else { return nil }
        return Request(
            fingerprint: Hash128(low: low, high: high), receivedAt: receivedAt,
            answer: BatchAnswer(
                status: status,
                written: WrittenCounts(
                    samples: counts[0], histograms: counts[1], exemplars: counts[2], metadata: counts[3]),
                rejectedSamples: counts[4], filteredSamples: counts[5], text: ""))
    }
}
