/// Where a file's bytes go, front to back.
package protocol ByteSink {
    mutating func write(_ bytes: [UInt8]) throws
}

/// Where a file's bytes come from.
package protocol ByteSource {
    /// Bytes of the whole file.
    var count: Int { get }
    /// Exactly `count` bytes from `offset`; the reader asks only within the file.
    func read(at offset: Int, count: Int) throws -> [UInt8]
}

/// A file in memory.
package struct MemoryFile: ByteSink, ByteSource, Equatable, Sendable {
    package var bytes: [UInt8]

    package init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    package var count: Int { bytes.count }
    package mutating func write(_ more: [UInt8]) { bytes.append(contentsOf: more) }
    package func read(at offset: Int, count: Int) -> [UInt8] { [UInt8](bytes[offset..<offset + count]) }
}
