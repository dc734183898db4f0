internal import Bytes
internal import WAL

/// What `status` needs of a commit manifest (docs/formats/manifest.md): its segments, files and counts. The requests,
/// most of its bytes, are only summed: a manifest of a busy volume names hundreds of thousands of them.
struct ManifestCounts: Equatable, Sendable {
    struct File: Equatable, Sendable {
        var name: String
        var byteCount: UInt64
        var rows: Int
    }

    private(set) var segments: [SegmentID] = []
    private(set) var files: [File] = []
    /// Rows by what became of them: `log`, `written`, `deduplicated`, `conflicts`, `quarantined`.
    private(set) var rows: [String: Int] = [:]
    private(set) var requests = 0
    private(set) var rejectedSamples = 0
    private(set) var filteredSamples = 0

    /// Of the first copy whose checksum holds; nil when neither does.
    init?(_ bytes: [UInt8]) {
        let half = bytes.count / 2
        for copy in [bytes[..<half], bytes[half...]] {
            guard let body = Self.body(copy) else { continue }
            self.init(body: body)
            return
        }
        return nil
    }

    /// The lines before the checksum's, when it is theirs.
    private static func body(_ copy: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard copy.last == newline, let end = copy.dropLast().lastIndex(of: newline) else { return nil }
        let body = Array(copy[...end])
        // SAFETY: UInt8 has no padding.
        let checksum = String(CRC32C.extend(over: unsafe body.span.bytes), radix: 16)
        return copy[(end + 1)...].elementsEqual(Array("crc32c \(checksum)\n".utf8)) ? body[...] : nil
    }

    private init(body: ArraySlice<UInt8>) {
        let request = Array("request ".utf8)
        var rest = body
        // Line by line: an array of all of them would hold a hundred thousand slices.
        while let end = rest.firstIndex(of: Self.newline) {
            let line = rest[..<end]
            rest = rest[(end + 1)...]
            if line.starts(with: request) {
                addRequest(line)
            } else {
                add(String(decoding: line, as: UTF8.self).split(separator: " "))
            }
        }
    }

    private mutating func add(_ words: [Substring]) {
        switch (words.first, words.count) {
        case ("segment", 4):
            if let id = UInt64(words[1]) { segments.append(SegmentID(id)) }
        case ("file", 5):
            if let byteCount = UInt64(words[2]), let rows = Self.number(words[4]) {
                files.append(File(name: String(words[1]), byteCount: byteCount, rows: rows))
            }
        case ("count", 3):
            if let count = Self.number(words[2]) { rows[String(words[1])] = count }
        default: break
        }
    }

    /// The last two words are the samples rejected and filtered.
    private mutating func addRequest(_ line: ArraySlice<UInt8>) {
        requests += 1
        var rest = line
        filteredSamples += Self.takeNumber(&rest)
        rejectedSamples += Self.takeNumber(&rest)
    }

    /// Removes the last word, a decimal number, and the space before it.
    private static func takeNumber(_ line: inout ArraySlice<UInt8>) -> Int {
        var value = 0
        var scale = 1
        var digits = 0
        while let byte = line.popLast(), byte != UInt8(ascii: " ") {
            guard (0x30...0x39).contains(byte), digits < Self.digitLimit else { return 0 }
            value += Int(byte - 0x30) * scale
            digits += 1
            scale *= 10
        }
        return value
    }

    /// Counts have at most so many digits: no sum over the lines of a manifest can overflow.
    private static let digitLimit = 12

    private static func number(_ word: Substring) -> Int? {
        word.utf8.count <= digitLimit ? Int(word) : nil
    }

    private static let newline = UInt8(ascii: "\n")
}
