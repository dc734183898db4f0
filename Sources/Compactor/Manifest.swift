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
        /// Kept as `.kept` because it holds what has no file kind yet.
        package let isKept: Bool
    }

    /// A request of the plan: its fingerprint and the answer, without the text of a 400.
    package struct Request: Equatable, Sendable {
        package let fingerprint: Hash128
        package let receivedAt: Int64
        package let answer: BatchAnswer
    }

    package var volume: VolumeID
    package var segments: [Segment]
    package var configuration: UInt64
    package var files: [CompactedFile]
    /// Rows by what became of them: `log`, `written`, `deduplicated`, `conflicts`, `quarantined`, ...
    package var counts: [(reason: String, rows: Int)]
    package var requests: [Request]

    package static func == (left: Manifest, right: Manifest) -> Bool { left.encode() == right.encode() }

    package var first: SegmentID { segments.first?.id ?? SegmentID(0) }
    package var last: SegmentID { segments.last?.id ?? SegmentID(0) }

    /// `<first>-<last>`, 20 digits each.
    package var stem: String { "\(SegmentDirectory.digits(first))-\(SegmentDirectory.digits(last))" }

    func encode() -> [UInt8] {
        var text = "cirrus-manifest 1\nvolume \(volume)\nconfiguration \(configuration)\n"
        for segment in segments {
            text += "segment \(segment.id) \(segment.rows) \(segment.isKept ? "kept" : "removed")\n"
        }
        for file in files { text += "file \(file.name) \(file.byteCount) \(file.sha256) \(file.rows)\n" }
        for count in counts { text += "count \(count.reason) \(count.rows)\n" }
        for request in requests {
            let written = request.answer.written
            text += "request \(request.fingerprint.hex) \(request.receivedAt) \(request.answer.status)"
            text += " \(written.samples) \(written.histograms) \(written.exemplars) \(written.metadata)"
            text += " \(request.answer.rejectedSamples) \(request.answer.filteredSamples)\n"
        }
        let copy = Array((text + "crc32c \(Self.checksum(text))\n").utf8)
        return copy + copy
    }

    private static func checksum(_ text: String) -> String {
        let bytes = Array(text.utf8)
        // SAFETY: UInt8 has no padding.
        return String(CRC32C.extend(over: unsafe bytes.span.bytes), radix: 16)
    }

    /// The manifest from the first copy that is whole; nil when neither is.
    static func decode(_ bytes: [UInt8]) -> Manifest? {
        let half = bytes.count / 2
        return decodeCopy(bytes[..<half]) ?? decodeCopy(bytes[half...])
    }

    private static func decodeCopy(_ bytes: ArraySlice<UInt8>) -> Manifest? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.hasSuffix("\n"), let end = text.dropLast().lastIndex(of: "\n") else { return nil }
        let body = String(text[...end])
        guard text[text.index(after: end)...] == "crc32c \(checksum(body))\n" else { return nil }
        var lines = body.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        guard lines.count >= 3, lines.removeFirst() == ["cirrus-manifest", "1"] else { return nil }
        var manifest = Manifest(
            volume: VolumeID(high: 0, low: 0), segments: [], configuration: 0, files: [], counts: [], requests: [])
        for words in lines where !manifest.add(words) { return nil }
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
            guard let id = UInt64(words[1]), let rows = UInt64(words[2]) else { return false }
            segments.append(Segment(id: SegmentID(id), rows: rows, isKept: words[3] == "kept"))
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
                rejectedSamples: counts[4], filteredSamples: counts[5], text: ""
            ).withoutReasons)
    }
}
