extension JSONValue {
    public enum KeySpelling: Sendable {
        case asIs
        /// `requestID` is `request_id`. The keys of dictionaries stay as they are: they are data.
        case snakeCase
    }

    /// What `value` encodes, its keys in the order of their bytes, so that the same facts give the same text. A number
    /// that JSON has no spelling for, NaN or an infinity, is null.
    public init(encoding value: some Encodable, keys spelling: KeySpelling = .asIs) throws {
        self = try JSONNode.of(value, [], spelling).value
    }

    /// The key as one of `snakeCase`: a word begins at each capital after a small letter, and at the last of several
    /// capitals before one.
    static func snakeCase(_ key: String) -> String {
        let bytes = Array(key.utf8)
        var text: [UInt8] = []
        let isCapital = { (byte: UInt8) in byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") }
        let isSmall = { (byte: UInt8) in byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") }
        for (index, byte) in bytes.enumerated() {
            guard isCapital(byte) else {
                text.append(byte)
                continue
            }
            let follows = index > 0 && !isCapital(bytes[index - 1]) && bytes[index - 1] != UInt8(ascii: "_")
            let endsCapitals = index > 0 && index + 1 < bytes.count && isSmall(bytes[index + 1])
            if follows || endsCapitals, text.last != UInt8(ascii: "_") { text.append(UInt8(ascii: "_")) }
            text.append(byte | 0x20)
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// A place that an encoder fills.
private final class JSONNode {
    enum Content {
        case value(JSONValue)
        case array([JSONNode])
        case object([String: JSONNode])
    }

    var content: Content

    init(_ content: Content) { self.content = content }

    var value: JSONValue {
        switch content {
        case .value(let value): value
        case .array(let nodes): .array(nodes.map(\.value))
        case .object(let nodes):
            .object(
                nodes.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                    .map { JSONValue.Member($0.key, $0.value.value) })
        }
    }

    static func of(
        _ value: some Encodable, _ path: [any CodingKey], _ spelling: JSONValue.KeySpelling
    ) throws -> JSONNode {
        switch value {
        case let value as JSONValue: return JSONNode(.value(value))
        case let value as String: return JSONNode(.value(.string(value)))
        case let value as Bool: return JSONNode(.value(.bool(value)))
        case let value as any BinaryInteger: return JSONNode(.value(.number("\(value)")))
        case let value as Double: return JSONNode(.value(number(value)))
        case let value as Float: return JSONNode(.value(number(Double(value))))
        case let value as any StringKeyed: return try value.node(path, spelling)
        default:
            let node = JSONNode(.value(.null))
            try value.encode(to: JSONNodeEncoder(node: node, codingPath: path, spelling: spelling))
            return node
        }
    }

    private static func number(_ value: Double) -> JSONValue {
        guard value.isFinite else { return .null }
        let text = "\(value)"
        return .number(text.hasSuffix(".0") ? String(text.dropLast(2)) : text)
    }
}

/// A dictionary whose keys are data.
private protocol StringKeyed {
    func node(_ path: [any CodingKey], _ spelling: JSONValue.KeySpelling) throws -> JSONNode
}

extension Dictionary: StringKeyed where Key == String, Value: Encodable {
    fileprivate func node(_ path: [any CodingKey], _ spelling: JSONValue.KeySpelling) throws -> JSONNode {
        JSONNode(.object(try mapValues { try JSONNode.of($0, path, spelling) }))
    }
}

extension JSONValue: Encodable {
    /// By `JSONValue(encoding:)` alone, which takes it as it is.
    public func encode(to encoder: any Encoder) throws {
        throw EncodingError.invalidValue(
            self, EncodingError.Context(codingPath: encoder.codingPath, debugDescription: "only JSON holds JSON"))
    }
}

private struct JSONNodeEncoder: Encoder {
    let node: JSONNode
    let codingPath: [any CodingKey]
    let spelling: JSONValue.KeySpelling

    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if case .object = node.content {} else { node.content = .object([:]) }
        return KeyedEncodingContainer(JSONObjectEncoding<Key>(encoder: self))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if case .array = node.content {} else { node.content = .array([]) }
        return JSONArrayEncoding(encoder: self)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { JSONSingleEncoding(encoder: self) }

    func nested(_ node: JSONNode, _ key: any CodingKey) -> JSONNodeEncoder {
        JSONNodeEncoder(node: node, codingPath: codingPath + [key], spelling: spelling)
    }
}

private struct JSONObjectEncoding<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let encoder: JSONNodeEncoder

    var codingPath: [any CodingKey] { encoder.codingPath }

    private func put(_ node: JSONNode, _ key: any CodingKey) {
        guard case .object(var nodes) = encoder.node.content else { return }
        encoder.node.content = .value(.null)  // one owner, so that the dictionary is changed in place
        nodes[encoder.spelling == .snakeCase ? JSONValue.snakeCase(key.stringValue) : key.stringValue] = node
        encoder.node.content = .object(nodes)
    }

    private func putNew(_ key: any CodingKey) -> JSONNodeEncoder {
        let node = JSONNode(.value(.null))
        put(node, key)
        return encoder.nested(node, key)
    }

    func encodeNil(forKey key: Key) { put(JSONNode(.value(.null)), key) }

    func encode(_ value: some Encodable, forKey key: Key) throws {
        put(try JSONNode.of(value, codingPath + [key], encoder.spelling), key)
    }

    func nestedContainer<Nested>(keyedBy keyType: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested> {
        putNew(key).container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { putNew(key).unkeyedContainer() }

    func superEncoder() -> any Encoder { putNew(JSONIndex("super")) }
    func superEncoder(forKey key: Key) -> any Encoder { putNew(key) }
}

private struct JSONArrayEncoding: UnkeyedEncodingContainer {
    let encoder: JSONNodeEncoder

    var codingPath: [any CodingKey] { encoder.codingPath }
    var count: Int {
        guard case .array(let nodes) = encoder.node.content else { return 0 }
        return nodes.count
    }

    private func append(_ node: JSONNode) {
        guard case .array(var nodes) = encoder.node.content else { return }
        encoder.node.content = .value(.null)
        nodes.append(node)
        encoder.node.content = .array(nodes)
    }

    private func appendNew() -> JSONNodeEncoder {
        let (node, key) = (JSONNode(.value(.null)), JSONIndex(count))
        append(node)
        return encoder.nested(node, key)
    }

    func encodeNil() { append(JSONNode(.value(.null))) }

    func encode(_ value: some Encodable) throws {
        append(try JSONNode.of(value, codingPath + [JSONIndex(count)], encoder.spelling))
    }

    func nestedContainer<Key>(keyedBy keyType: Key.Type) -> KeyedEncodingContainer<Key> {
        appendNew().container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { appendNew().unkeyedContainer() }
    func superEncoder() -> any Encoder { appendNew() }
}

private struct JSONSingleEncoding: SingleValueEncodingContainer {
    let encoder: JSONNodeEncoder

    var codingPath: [any CodingKey] { encoder.codingPath }

    func encodeNil() { encoder.node.content = .value(.null) }

    func encode(_ value: some Encodable) throws {
        encoder.node.content = try JSONNode.of(value, codingPath, encoder.spelling).content
    }
}

/// A place in an array, or a name that no type has.
struct JSONIndex: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ index: Int) {
        stringValue = "\(index)"
        intValue = index
    }

    init(_ name: String) {
        stringValue = name
        intValue = nil
    }

    init?(intValue: Int) { self.init(intValue) }
    init?(stringValue: String) { self.init(stringValue) }
}
