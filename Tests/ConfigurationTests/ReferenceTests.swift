import Configuration
import FoundationEssentials
import Testing

/// docs/configuration.md holds the key table between two marks. `UPDATE_DOCS=1 swift test` writes it anew.
@Suite struct ReferenceTests {
    @Test func pageIsUpToDate() throws {
        let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let page = root.appending(path: "docs/configuration.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        let begin = try #require(text.firstRange(of: "<!-- keys: begin -->\n"))
        let end = try #require(text.firstRange(of: "<!-- keys: end -->"))
        let table = "\n" + Key.markdownTable() + "\n"
        if ProcessInfo.processInfo.environment["UPDATE_DOCS"] == "1" {
            let updated = text[..<begin.upperBound] + table + text[end.lowerBound...]
            try String(updated).write(to: page, atomically: true, encoding: .utf8)
        } else {
            #expect(String(text[begin.upperBound..<end.lowerBound]) == table, "run UPDATE_DOCS=1 swift test")
        }
    }

    @Test("every key has a meaning, a section and a row of its own") func rows() {
        let rows = Key.markdownTable().split(separator: "\n").filter { $0.hasPrefix("| `") }
        #expect(rows.count == Key.all.count)
        for key in Key.all { #expect(!key.meaning.isEmpty && !key.meaning.hasSuffix(".")) }
    }
}
