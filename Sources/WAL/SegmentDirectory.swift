package import DiskIO

/// The names in `wal/`.
package struct SegmentDirectory: Sendable {
    package let path: String
    private let suffix: String
    private let fileSystem: any FileSystem

    private static let suffix = ".wal"
    private static let keptSuffix = ".kept"

    package init(_ path: String, in fileSystem: any FileSystem) { self.init(path, Self.suffix, in: fileSystem) }

    private init(_ path: String, _ suffix: String, in fileSystem: any FileSystem) {
        self.path = path
        self.suffix = suffix
        self.fileSystem = fileSystem
    }

    /// The segments kept aside in the same place (docs/formats/wal.md).
    package var ofKept: SegmentDirectory { SegmentDirectory(path, Self.keptSuffix, in: fileSystem) }

    /// `wal/00000000000000000042.wal`
    package func path(of segment: SegmentID) -> String { "\(path)/\(Self.digits(segment))\(suffix)" }

    func preparedPath(of segment: SegmentID) -> String { "\(path)/prep-\(segment.number).tmp" }

    package static func name(of segment: SegmentID) -> String { digits(segment) + suffix }

    /// 20 digits, zero-padded: names sort as numbers do.
    package static func digits(_ segment: SegmentID) -> String {
        let digits = String(segment.number)
        return String(repeating: "0", count: 20 - digits.utf8.count) + digits
    }

    /// Segments, ascending. Gaps are legal.
    package func segments() throws(IOError) -> [SegmentID] {
        try fileSystem.list(path).compactMap { Self.segment(named: $0, suffix: suffix) }.sorted()
    }

    /// Length of all segments, those kept aside among them.
    package func byteCount() throws(IOError) -> UInt64 {
        var sum: UInt64 = 0
        for name in try fileSystem.list(path) where Self.segment(named: name) ?? Self.keptSegment(named: name) != nil {
            sum += try fileSystem.status("\(path)/\(name)")?.byteCount ?? 0
        }
        return sum
    }

    package static func segment(named name: String) -> SegmentID? { segment(named: name, suffix: suffix) }

    /// A segment kept aside because it holds what is in no file (docs/formats/wal.md).
    package static func keptSegment(named name: String) -> SegmentID? { segment(named: name, suffix: keptSuffix) }

    private static func segment(named name: String, suffix: String) -> SegmentID? {
        guard name.hasSuffix(suffix), name.utf8.count == 20 + suffix.utf8.count else { return nil }
        let digits = name.prefix(20)
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt64(digits), number > 0,
            number < WALFormat.numberLimit
        else { return nil }
        return SegmentID(number)
    }

    /// Removes what a crash left half prepared: nothing in such a file was ever acknowledged.
    package func sweepPrepared() throws(IOError) {
        for name in try fileSystem.list(path) where name.hasSuffix(".tmp") {
            try fileSystem.remove("\(path)/\(name)")
        }
    }

    /// The end of a segment as the header of the next one states it; nil for the newest.
    package func statedEnding(of segment: SegmentID) throws(IOError) -> SegmentEnding? {
        guard let next = try segments().first(where: { $0 > segment }) else { return nil }
        let ending = try header(of: next)?.predecessor
        return ending?.segment == segment ? ending : nil
    }

    /// The header of a segment; nil when neither copy can be read.
    package func header(of segment: SegmentID) throws(IOError) -> SegmentHeader? {
        let file = try SegmentFile(path(of: segment), in: fileSystem)
        guard let header = SegmentHeader.decode(try file.read(at: 0, count: Int(WALFormat.blockBytes))),
            header.segment == segment
        else { return nil }
        return header
    }
}
