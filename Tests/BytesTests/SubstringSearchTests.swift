import Bytes
import Testing

/// Spelt out, since the standard library has the same names and tests import it.
@Suite struct SubstringSearchTests {
    private func found(_ needle: String, in text: some StringProtocol) -> String? {
        let range: Range<String.Index>? = text.firstRange(of: needle)
        return range.map { "\(text[..<$0.lowerBound])|\(text[$0])|\(text[$0.upperBound...])" }
    }

    @Test(arguments: [
        ("aab", "aaab", "a|aab|"), ("a", "a", "|a|"), ("ab", "xaab", "xa|ab|"), ("", "ab", "||ab"),
        ("://", "http://a://b", "http|://|a://b"), ("ü", "aü", "a|ü|"),
    ])
    func theFirstPlaceIsFound(needle: String, text: String, expected: String) {
        #expect(found(needle, in: text) == expected)
        #expect(found(needle, in: "<\(text)>".dropFirst().dropLast()) == expected)
        #expect(text.contains(needle[...]))
    }

    @Test(arguments: [("b", "a"), ("ab", "a"), ("ab", "ba"), ("a", "")])
    func whatIsNotThereIsNotFound(needle: String, text: String) {
        #expect(found(needle, in: text) == nil && !text.contains(needle[...]))
        #expect(found(needle, in: "\(text)\(needle)".prefix(text.count)) == nil, "not behind the end of a part")
    }

    @Test("a combining mark behind it hides nothing")
    func bytesAreCompared() {
        let text = "token=\u{301}secret"
        #expect(found("token=", in: text) == "|token=|\u{301}secret")
        #expect(text.replacing("=" as Substring, with: "…" as Substring) == "token…\u{301}secret")
    }

    @Test(arguments: [
        ("a", "", "bab", "bb"), ("aa", "b", "aaaaa", "bba"), ("a", "aa", "aba", "aabaa"), ("", "x", "ab", "ab"),
        ("x", "y", "ab", "ab"), ("ab", "", "ab", ""),
    ])
    func eachIsReplacedOnceFromTheLeft(needle: String, replacement: String, text: String, expected: String) {
        #expect(text.replacing(needle[...], with: replacement[...]) == expected)
    }
}
