extension JSONValue {
    /// A `type` of this value. Members that it does not ask for are passed over; null is an absent optional.
    /// - Throws: `DecodingError` of the standard library, with the path of the member; it quotes no value.
    public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try JSONValueDecoder(value: self, codingPath: []).decode(type)
    }

    fileprivate var kind: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .string: "a text"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

private struct JSONValueDecoder: Decoder {
    let value: JSONValue
    let codingPath: [any CodingKey]

    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func mismatch(_ type: Any.Type) -> DecodingError {
        let context = DecodingError.Context(codingPath: codingPath, debugDescription: "it is \(value.kind)")
        return value == .null ? .valueNotFound(type, context) : .typeMismatch(type, context)
    }

    func nested(_ value: JSONValue, _ key: any CodingKey) -> JSONValueDecoder {
        JSONValueDecoder(value: value, codingPath: codingPath + [key])
    }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        let decoded: Any? =
            switch type {
            case is String.Type: if case .string(let text) = value { text } else { nil }
            case is Bool.Type: if case .bool(let flag) = value { flag } else { nil }
            case is Double.Type: finite(Double.init)
            case is Float.Type: finite(Float.init)
            case let type as any FixedWidthInteger.Type: integer(type)
            default: try type.init(from: self)
            }
        guard let decoded = decoded as? Value else { throw mismatch(type) }
        return decoded
    }

    /// Nil for what is no number, or too large for this type.
    private func finite<Number: BinaryFloatingPoint>(_ read: (String) -> Number?) -> Number? {
        guard case .number(let text) = value, let number = read(text), number.isFinite else { return nil }
        return number
    }

    /// Nil for what is no integer, or not of this type; `1e3` and `1.0` are integers.
    private func integer<Integer: FixedWidthInteger>(_ type: Integer.Type) -> Integer? {
        guard case .number(let text) = value else { return nil }
        return Integer(text) ?? Double(text).flatMap { Integer(exactly: $0) }
    }

    func container<Key>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        guard case .object(let members) = value else { throw mismatch([String: Any].self) }
        let values = Dictionary(members.map { ($0.key, $0.value) }) { _, last in last }
        return KeyedDecodingContainer(JSONObjectDecoding(decoder: self, values: values))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard case .array(let values) = value else { throw mismatch([Any].self) }
        return JSONArrayDecoding(decoder: self, values: values)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { JSONSingleDecoding(decoder: self) }
}

private struct JSONObjectDecoding<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: JSONValueDecoder
    let values: [String: JSONValue]

    var codingPath: [any CodingKey] { decoder.codingPath }
    var allKeys: [Key] { values.keys.compactMap { Key(stringValue: $0) } }

    func contains(_ key: Key) -> Bool { values[key.stringValue] != nil }

    private func nested(_ key: any CodingKey) throws -> JSONValueDecoder {
        guard let value = values[key.stringValue] else {
            throw DecodingError.keyNotFound(
                key, DecodingError.Context(codingPath: codingPath, debugDescription: "it has no such member"))
        }
        return decoder.nested(value, key)
    }

    func decodeNil(forKey key: Key) throws -> Bool { try nested(key).value == .null }
    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
        try nested(key).decode(type)
    }

    func nestedContainer<Nested>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try nested(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try nested(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { try nested(JSONIndex("super")) }
    func superDecoder(forKey key: Key) throws -> any Decoder { try nested(key) }
}

private struct JSONArrayDecoding: UnkeyedDecodingContainer {
    let decoder: JSONValueDecoder
    let values: [JSONValue]
    private(set) var currentIndex = 0

    init(decoder: JSONValueDecoder, values: [JSONValue]) {
        self.decoder = decoder
        self.values = values
    }

    var codingPath: [any CodingKey] { decoder.codingPath }
    var count: Int? { values.count }
    var isAtEnd: Bool { currentIndex == values.count }

    private mutating func next() throws -> JSONValueDecoder {
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                Any.self, DecodingError.Context(codingPath: codingPath, debugDescription: "the array is over"))
        }
        defer { currentIndex += 1 }
        return decoder.nested(values[currentIndex], JSONIndex(currentIndex))
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, values[currentIndex] == .null else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try next().decode(type) }

    mutating func nestedContainer<Key>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        try next().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }
    mutating func superDecoder() throws -> any Decoder { try next() }
}

private struct JSONSingleDecoding: SingleValueDecodingContainer {
    let decoder: JSONValueDecoder

    var codingPath: [any CodingKey] { decoder.codingPath }

    func decodeNil() -> Bool { decoder.value == .null }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try decoder.decode(type) }
}
