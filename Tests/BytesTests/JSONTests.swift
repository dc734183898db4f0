import JSON
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        ("null", JSONValue.null), (" true ", .bool(true)), ("[]", .array([])), ("{}", .object([])),
        ("-0.5e+3", .number("-0.5e+3")), ("0", .number("0")),
        (#""a\"\\\/\b\f\n\r\tA\ud83d\ude00é""#, .string("a\"\\/\u{8}\u{C}\n\r\tA😀é")),
        (
            #"{"a":[1,{"b":null}],"a":2}"#,
            .object([
                JSONValue.Member("a", .array([.number("1"), .object([JSONValue.Member("b", .null)])])),
                JSONValue.Member("a", .number("2")),
            ])
        ),
    ])
    func parses(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text.utf8) == value)
        #expect(try JSONValue(parsing: value.text().utf8) == value, "what it writes it reads")
        #expect(try JSONValue(parsing: value.text(.indented).utf8) == value)
    }

    @Test(arguments: [
        "", " ", "nul", "tru e", "01", "-", "1.", ".5", "1e", "+1", "NaN", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u+123\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"",
        "\"\n\"", "1 2", "[", "{", "\u{FEFF}1", "'a'", "/**/1",
    ])
    func refuses(text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: text.utf8) }
    }

    @Test func everyCutOfATextIsRefused() throws {
        let whole = Array(#"{"a":[1,-2.5e3,"x\u00e9\n"],"b":{"c":true,"d":null}}"#.utf8)
        for end in whole.indices { #expect(throws: JSONError.self) { try JSONValue(parsing: whole[..<end]) } }
        _ = try JSONValue(parsing: whole)
    }

    @Test func bytesThatAreNotUTF8AreRefused() {
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xED, 0xA0, 0x80, 0x22]) }
    }

    /// A frame of the stack each: a text from outside must not take it all.
    @Test func depthIsBounded() throws {
        let deep = { (count: Int) in Array(String(repeating: "[", count: count).utf8) }
        let closed = deep(JSONValue.depthLimit) + Array(String(repeating: "]", count: JSONValue.depthLimit).utf8)
        _ = try JSONValue(parsing: closed)
        #expect(throws: JSONError.self) { try JSONValue(parsing: deep(1_000_000)) }
    }

    struct Everything: Codable, Equatable {
        enum Word: String, Codable { case yes, no }
        struct Inner: Codable, Equatable {
            var fsyncP99Seconds: Double
            var absent: Int?
        }

        var text = "line\n\"quoted\" \u{1} 😀 /"
        var least = Int64.min
        var most = UInt64.max
        var small: UInt8 = 255
        var ratio = 0.1
        var whole = 3.0
        var flag = false
        var requestID: String? = "x"
        var words: [Word] = [.yes, .no]
        var inner = [Inner(fsyncP99Seconds: 1.5, absent: nil), Inner(fsyncP99Seconds: -0.0, absent: 7)]
        var byName = ["Camel-Key_B": [1, 2], "a": []]
        var nothing: [Int?] = [nil, 1]
    }

    @Test func whatIsEncodedIsDecoded() throws {
        let value = try JSONValue(encoding: Everything())
        #expect(try JSONValue(parsing: value.text().utf8).decode(Everything.self) == Everything())
        #expect(try JSONValue(parsing: value.text(.indented).utf8).decode(Everything.self) == Everything())
    }

    @Test func keysAreSortedAndSpelledAsAsked() throws {
        let text = try JSONValue(encoding: Everything(), keys: .snakeCase).text()
        #expect(
            text == #"{"by_name":{"Camel-Key_B":[1,2],"a":[]},"flag":false,"inner":[{"fsync_p99_seconds":1.5},"#
                + #"{"absent":7,"fsync_p99_seconds":-0}],"least":-9223372036854775808,"most":18446744073709551615,"#
                + #""nothing":[null,1],"ratio":0.1,"request_id":"x","small":255,"#
                + #""text":"line\n\"quoted\" \u0001 😀 /","whole":3,"words":["yes","no"]}"#)
    }

    @Test(arguments: [
        ("a", "a"), ("segmentBytes", "segment_bytes"), ("requestID", "request_id"), ("URLPath", "url_path"),
        ("fsyncP99Seconds", "fsync_p99_seconds"), ("sha256", "sha256"), ("already_there", "already_there"), ("", ""),
    ])
    func snakeCase(key: String, spelled: String) throws {
        #expect(try JSONValue(encoding: Named(key: key), keys: .snakeCase).text() == "{\"\(spelled)\":1}")
    }

    struct Named: Encodable {
        struct Key: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        let key: String

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: Key.self)
            try container.encode(1, forKey: Key(stringValue: key))
        }
    }

    @Test func numbersWithoutASpellingAreNull() throws {
        #expect(
            try JSONValue(encoding: [Double.nan, .infinity, -.infinity, 1e300]).text() == "[null,null,null,1e+300]")
    }

    @Test func anIndentedTextIsAsPeopleWriteIt() throws {
        let value = try JSONValue(encoding: ["a": [[1, 2], []], "b": []])
        #expect(
            value.text(.indented) == "{\n  \"a\": [\n    [\n      1,\n      2\n    ],\n    []\n  ],\n  \"b\": []\n}")
    }

    @Test(arguments: [
        "256", "-1", "1.5", "1e99", "\"1\"", "null", "true", "[]", "9223372036854775808",
    ])
    func whatDoesNotFitIsNotDecoded(text: String) throws {
        #expect(throws: DecodingError.self) { try JSONValue(parsing: text.utf8).decode(UInt8.self) }
    }

    @Test func numbersThatAreTooLargeAreRefused() {
        #expect(throws: DecodingError.self) { try JSONValue(parsing: "1e400".utf8).decode(Double.self) }
        #expect(throws: DecodingError.self) { try JSONValue(parsing: "-1e39".utf8).decode(Float.self) }
    }

    @Test func integersMayBeSpelledAsDecimals() throws {
        #expect(try JSONValue(parsing: "1e2".utf8).decode(Int.self) == 100)
        #expect(try JSONValue(parsing: "3.0".utf8).decode(UInt64.self) == 3)
    }

    @Test func anErrorNamesTheMemberAndNotItsValue() throws {
        let value = try JSONValue(parsing: #"{"a":{"b":"secret"}}"#.utf8)
        let error = try #require(throws: DecodingError.self) { try value.decode([String: [String: Int]].self) }
        guard case .typeMismatch(_, let context) = error else { throw error }
        #expect(context.codingPath.map(\.stringValue) == ["a", "b"])
        #expect(!"\(error)".contains("secret"))
    }
}
