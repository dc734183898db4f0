import Testing

@Suite("swift text") struct SwiftTextTests {
    @Test func blanksCommentsAndLiteralsButKeepsLines() {
        let source = """
            let a = "try? \\(f("unsafe")) }" // try?
            /* { /* nested */ } */ let b = #"\\ " {"#
            """
        let text = SwiftText(source)
        #expect(text.codeLines.count == 2)
        #expect(text.codeLines.allSatisfy { !$0.contains("try?") && !$0.contains("{") && !$0.contains("unsafe") })
        #expect(text.codeLines[1].contains("let b ="))
    }

    @Test func findsWhereFunctionsEnd() {
        let source = """
            protocol P {
                func requirement(_ a: Int) throws -> Int
                init(a: Int)
            }
            struct S {
                @inlinable package static func one(
                    a: Int
                ) -> [Int] {
                    if a > 0 { return [] }
                    return ["}"]
                }
                init?(x: Int) { self.init() }
                deinit { close() }
                subscript(i: Int) -> Int { i }
                let closure = { print("not a function") }
                init() {
                }
            }
            """
        #expect(
            SwiftText(source).functions() == [
                FunctionExtent(name: "func one", lines: 6...11), FunctionExtent(name: "init", lines: 12...12),
                FunctionExtent(name: "deinit", lines: 13...13), FunctionExtent(name: "subscript", lines: 14...14),
                FunctionExtent(name: "init", lines: 16...17),
            ])
    }

    @Test func theTreeIsFound() {
        #expect(SourceTree.sources.count > 20)
        #expect(SourceTree.swift.contains { $0.path == "Tests/RepositoryTests/SwiftTextTests.swift" })
        #expect(Set(SourceTree.sources.map(\.module)).isSubset(of: Layers.ours))
    }
}
