internal import Bytes

/// The rows of an agent's file as remote_write requests, always the same for the same file: the identity of each rests
/// on it.
struct AgentChunks {
    /// A request ends with the row that reaches one of them. Fixed: a file half imported goes on where it was.
    private static let rowLimit = 10_000
    private static let byteLimit = 4 << 20
    /// No field of the message: receivers pass over it. Two equal requests of two files differ by it.
    private static let identityField: UInt8 = 15 << 3 | 2

    /// SHA-256 of the file; 32 bytes of anything while only counting.
    private let identity: [UInt8]
    private var count: UInt32 = 0
    private var body = WriteRequestBody()

    init(identity: [UInt8]) { self.identity = identity }

    /// Adds a row; the request that it completes.
    mutating func add(_ row: AgentRow) -> AgentRequest? {
        if body.sampleCount == 0 { begin() }
        body.add(WriteRequestBody.labels(row.labels), timestamp: row.timestamp, value: row.value.bitPattern)
        return body.sampleCount == Self.rowLimit || body.bytes.count >= Self.byteLimit ? end() : nil
    }

    private mutating func begin() {
        var identity = ByteWriter()
        identity.u8(Self.identityField)
        identity.varint(UInt64(self.identity.count + 4))
        identity.raw(self.identity)
        identity.u32(count)
        body.begin(identity.bytes)
    }

    /// The last request, if rows are left.
    mutating func end() -> AgentRequest? {
        guard body.sampleCount > 0 else { return nil }
        defer { body.begin() }
        count += 1
        return AgentRequest(body: body.bytes, rows: body.sampleCount)
    }
}
