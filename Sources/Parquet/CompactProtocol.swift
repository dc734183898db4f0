internal import Bytes

/// The part of Thrift's compact protocol that the format needs (parquet-format's Thrift file; Thrift's own
/// `thrift-compact-protocol.md`).
enum CompactType: UInt8 {
    case boolTrue = 1
    case boolFalse = 2
    case byte = 3
    case int16 = 4
    case int32 = 5
    case int64 = 6
    case double = 7
    case binary = 8
    case list = 9
    case set = 10
    case map = 11
    case structure = 12
}

/// Appends one structure after the other; fields in ascending order of ids.
struct CompactWriter {
    private(set) var output = ByteWriter()
    private var previousID = 0

    var bytes: [UInt8] { output.bytes }

    mutating func removeAll() {
        output.removeAll()
        previousID = 0
    }

    private mutating func header(_ id: Int, _ type: CompactType) {
        assert(id > previousID && id - previousID <= 15, "ids ascend by less than 16 in every structure of ours")
        output.u8(UInt8(id - previousID) << 4 | type.rawValue)
        previousID = id
    }

    mutating func bool(_ id: Int, _ value: Bool) { header(id, value ? .boolTrue : .boolFalse) }

    mutating func int16(_ id: Int, _ value: Int) {
        header(id, .int16)
        output.zigzag(Int64(value))
    }

    mutating func int32(_ id: Int, _ value: Int32) {
        header(id, .int32)
        output.zigzag(Int64(value))
    }

    mutating func int64(_ id: Int, _ value: Int) {
        header(id, .int64)
        output.zigzag(Int64(value))
    }

    mutating func binary(_ id: Int, _ value: [UInt8]) {
        header(id, .binary)
        element(value)
    }

    mutating func string(_ id: Int, _ value: String) {
        header(id, .binary)
        output.lengthPrefixed(value)
    }

    mutating func structure(_ id: Int, _ body: (inout CompactWriter) -> Void) {
        header(id, .structure)
        element(body)
    }

    mutating func list<Elements: Collection>(
        _ id: Int, _ type: CompactType, _ elements: Elements,
        _ body: (inout CompactWriter, Elements.Element) -> Void
    ) {
        header(id, .list)
        if elements.count < 15 {
            output.u8(UInt8(elements.count) << 4 | type.rawValue)
        } else {
            output.u8(0xF0 | type.rawValue)
            output.varint(UInt64(elements.count))
        }
        for element in elements { body(&self, element) }
    }

    /// A structure without field header: the whole, or an element of a list.
    mutating func element(_ body: (inout CompactWriter) -> Void) {
        let outer = previousID
        previousID = 0
        body(&self)
        output.u8(0)
        previousID = outer
    }

    mutating func element(_ value: Int) { output.zigzag(Int64(value)) }
    mutating func element(_ value: Bool) { output.u8(value ? 1 : 2) }

    /// Four bytes that are no Thrift: what may follow a structure.
    mutating func raw(_ value: UInt32) { output.u32(value) }

    mutating func element(_ value: [UInt8]) {
        output.varint(UInt64(value.count))
        output.raw(value)
    }
}

/// Reads structures of bytes from outside; every step is checked.
struct CompactReader {
    struct Field {
        let id: Int
        let type: CompactType
    }

    /// Structures within structures at most; ours go 6 deep.
    static let depthLimit = 16

    private let bytes: [UInt8]
    /// Where the bytes begin in the file, for messages.
    private let base: Int
    private(set) var position: Int
    private var depth = 0

    init(_ bytes: [UInt8], from position: Int = 0, base: Int) {
        self.bytes = bytes
        self.position = position
        self.base = base
    }

    func corrupt(_ cause: String) -> ParquetError { ParquetError(.corrupt(cause), at: base + position) }

    private mutating func byte() throws(ParquetError) -> UInt8 {
        guard position < bytes.count else { throw corrupt("a structure ends early") }
        defer { position += 1 }
        return bytes[position]
    }

    private mutating func varint() throws(ParquetError) -> UInt64 {
        var cursor = ByteReader(bytes.span.extracting(position..<bytes.count))
        do throws(ByteError) {
            let value = try cursor.varint()
            position += cursor.offset
            return value
        } catch {
            throw corrupt("a varint is cut off or too long")
        }
    }

    private mutating func zigzag() throws(ParquetError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// Calls `body` for each field; it reads or skips the value.
    mutating func structure(_ body: (inout CompactReader, Field) throws(ParquetError) -> Void) throws(ParquetError) {
        guard depth < Self.depthLimit else { throw corrupt("structures are nested too deep") }
        depth += 1
        var id = 0
        while true {
            let head = try byte()
            if head == 0 { break }
            guard let type = CompactType(rawValue: head & 0x0F) else { throw corrupt("an unknown field type") }
            let next = head >> 4 != 0 ? Int64(id) + Int64(head >> 4) : try zigzag()
            guard let next = Int(exactly: next), next > 0, next <= Int(Int16.max) else {
                throw corrupt("a field id out of range")
            }
            id = next
            try body(&self, Field(id: id, type: type))
        }
        depth -= 1
    }

    private func expect(_ field: Field, _ type: CompactType) throws(ParquetError) {
        guard field.type == type else { throw corrupt("field \(field.id) has another type") }
    }

    mutating func structure(
        _ field: Field, _ body: (inout CompactReader, Field) throws(ParquetError) -> Void
    ) throws(ParquetError) {
        try expect(field, .structure)
        try structure(body)
    }

    mutating func bool(_ field: Field) throws(ParquetError) -> Bool {
        guard field.type == .boolTrue || field.type == .boolFalse else {
            throw corrupt("field \(field.id) has another type")
        }
        return field.type == .boolTrue
    }

    mutating func int16(_ field: Field) throws(ParquetError) -> Int {
        try expect(field, .int16)
        guard let value = Int16(exactly: try zigzag()) else { throw corrupt("field \(field.id) is not 16 bits") }
        return Int(value)
    }

    mutating func int32(_ field: Field) throws(ParquetError) -> Int32 {
        try expect(field, .int32)
        return try int32Element()
    }

    mutating func int64(_ field: Field) throws(ParquetError) -> Int {
        try expect(field, .int64)
        return Int(try zigzag())
    }

    /// A count, size or offset in an i64: not negative.
    mutating func size(_ field: Field) throws(ParquetError) -> Int {
        let value = try int64(field)
        guard value >= 0 else { throw corrupt("field \(field.id), a size, is \(value)") }
        return value
    }

    /// The same in an i32.
    mutating func size32(_ field: Field) throws(ParquetError) -> Int {
        let value = try int32(field)
        guard value >= 0 else { throw corrupt("field \(field.id), a size, is \(value)") }
        return Int(value)
    }

    mutating func binary(_ field: Field) throws(ParquetError) -> [UInt8] {
        try expect(field, .binary)
        return try binaryElement()
    }

    mutating func string(_ field: Field) throws(ParquetError) -> String {
        String(decoding: try binary(field), as: UTF8.self)
    }

    /// An element of a byte may become a structure of hundreds: no list is longer than any file needs.
    mutating func list(
        _ field: Field, _ type: CompactType = .structure, limit: Int = 1 << 12,
        _ body: (inout CompactReader) throws(ParquetError) -> Void
    ) throws(ParquetError) {
        try expect(field, .list)
        let (elements, count) = try listHeader()
        guard count <= limit else { throw ParquetError(.tooLarge(what: "footer list", size: count, limit: limit)) }
        guard elements == type || count == 0 else {
            throw corrupt("list \(field.id) has elements of another type")
        }
        for _ in 0..<count { try body(&self) }
    }

    private mutating func listHeader() throws(ParquetError) -> (type: CompactType, count: Int) {
        let head = try byte()
        // fastparquet gives an empty list elements of type 0.
        let known = head == 0 ? CompactType.byte : CompactType(rawValue: head & 0x0F)
        guard let type = known else { throw corrupt("an unknown element type") }
        let count = head >> 4 == 15 ? try varint() : UInt64(head >> 4)
        // Every element takes a byte at least.
        guard count <= UInt64(bytes.count - position) else {
            throw corrupt("a list of \(count) elements in fewer bytes")
        }
        return (type, Int(count))
    }

    mutating func int32Element() throws(ParquetError) -> Int32 {
        guard let value = Int32(exactly: try zigzag()) else { throw corrupt("an i32 is wider than 32 bits") }
        return value
    }

    mutating func binaryElement() throws(ParquetError) -> [UInt8] {
        let length = try varint()
        guard length <= UInt64(bytes.count - position) else { throw corrupt("\(length) bytes in fewer") }
        defer { position += Int(length) }
        return [UInt8](bytes[position..<position + Int(length)])
    }

    /// Skips the value of a field that we do not know.
    mutating func skip(_ field: Field) throws(ParquetError) {
        if field.type != .boolTrue && field.type != .boolFalse { try skip(field.type) }
    }

    private mutating func skip(_ type: CompactType) throws(ParquetError) {
        switch type {
        case .boolTrue, .boolFalse, .byte: _ = try byte()
        case .int16, .int32, .int64: _ = try varint()
        case .double:
            guard bytes.count - position >= 8 else { throw corrupt("a structure ends early") }
            position += 8
        case .binary: _ = try binaryElement()
        case .list, .set:
            let (element, count) = try listHeader()
            guard depth < Self.depthLimit else { throw corrupt("lists are nested too deep") }
            depth += 1
            for _ in 0..<count { try skip(element) }
            depth -= 1
        case .map: throw ParquetError(.notSupported("a Thrift map"), at: base + position)
        case .structure: try structure { reader, field throws(ParquetError) in try reader.skip(field) }
        }
    }
}
