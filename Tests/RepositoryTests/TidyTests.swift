import Foundation
import Testing

/// The rules of this repository that a reader could check by eye, and should not have to.
@Suite("tidy") struct TidyTests {
    @Test func linesFitIn120Columns() {
        for file in SourceTree.swift + SourceTree.everyText.filter({ $0.path.hasSuffix(".py") }) {
            for (number, line) in file.lines.enumerated() where line.count > 120 {
                Issue.record("\(file):\(number + 1): \(line.count) columns, the limit is 120")
            }
        }
    }

    @Test func filesFitIn400Lines() {
        for file in SourceTree.swift where file.lines.count > 401 {
            Issue.record("\(file): \(file.lines.count - 1) lines, the limit is 400; split it by concept")
        }
    }

    /// Functions that are longer than the limit today. They may shrink, and leave this list; nothing may join it.
    private static let longFunctions: [String: Int] = [:]
    private static let functionLineLimit = 70

    @Test func functionsFitIn70Lines() {
        var unused = Set(Self.longFunctions.keys)
        for file in SourceTree.swift {
            for function in file.functions where function.lines.count > Self.functionLineLimit {
                let key = "\(file) \(function.name)"
                unused.remove(key)
                let limit = Self.longFunctions[key] ?? Self.functionLineLimit
                let place = "\(file):\(function.lines.lowerBound)"
                if function.lines.count > limit {
                    Issue.record("\(place): \(function.name) has \(function.lines.count) lines, the limit is \(limit)")
                }
            }
        }
        #expect(unused.isEmpty, "short enough by now: take them off the list")
    }

    @Test func importsGoDownOnly() {
        for file in SourceTree.sources {
            guard let allowed = Layers.allowedImports[file.module] else {
                Issue.record("\(file): module \(file.module) has no row in Layers")
                continue
            }
            for (number, name) in imports(of: file) where Layers.ours.contains(name) && !allowed.contains(name) {
                Issue.record("\(file):\(number): \(file.module) may not import \(name)")
            }
        }
        for (module, allowed) in Layers.allowedImports {
            for name in allowed {
                #expect(Layers.level(of: name) < Layers.level(of: module), "\(module) → \(name) does not go down")
            }
        }
    }

    /// Full Foundation links ICU, 17 MB compressed, and FoundationEssentials 2 MB (docs/decisions/0006).
    @Test func noFoundationInTheProgram() {
        for file in SourceTree.sources {
            for (number, name) in imports(of: file) where name.hasPrefix("Foundation") {
                Issue.record("\(file):\(number): \(file.module) may not import \(name)")
            }
        }
    }

    @Test func unsafeLinesSayWhyTheyAreSafe() {
        for file in SourceTree.sources {
            let lines = file.lines
            let functions = file.functions
            for (index, code) in file.code.enumerated() where code.contains(/\bunsafe\b(?!\))/) {
                let enclosing = functions.last { $0.lines.contains(index + 1) }
                if !hasReason(lines, functions: functions, enclosing: enclosing, before: index) {
                    Issue.record("\(file):\(index + 1): unsafe without a SAFETY line above it in its function")
                }
            }
        }
    }

    /// A reason counts in the function, in the comment above it, or at a member outside any function: an owned handle.
    private func hasReason(
        _ lines: [String], functions: [FunctionExtent], enclosing: FunctionExtent?, before index: Int
    ) -> Bool {
        var first = (enclosing?.lines.lowerBound ?? 1) - 1
        while first > 0, lines[first - 1].contains(/^\s*(\/\/|@)/) { first -= 1 }
        if lines[first...index].contains(where: { $0.contains("SAFETY") }) { return true }
        return lines.indices.prefix(index).contains { line in
            lines[line].contains("SAFETY") && !functions.contains { $0.lines.contains(line + 1) }
        }
    }

    @Test(arguments: ["@unchecked Sendable", "try?", "Task.detached", "nonisolated(unsafe)"])
    func exceptionsCarryAReason(construct: String) {
        for file in SourceTree.sources {
            let lines = file.lines
            for (index, code) in file.code.enumerated() where uses(construct, code) {
                var above = index
                while above > 0, lines[above - 1].contains(/^\s*@/) { above -= 1 }
                let reason = lines[index].contains("//") || (above > 0 && lines[above - 1].contains(/^\s*\/\//))
                if !reason && !inCommentedFunction(file, index) {
                    Issue.record("\(file):\(index + 1): \(construct) without a reason beside it")
                }
            }
        }
    }

    /// `Entry?` is no `try?`.
    private func uses(_ construct: String, _ code: String) -> Bool {
        code.ranges(of: construct).contains { range in
            range.lowerBound == code.startIndex || !code[code.index(before: range.lowerBound)].isLetter
        }
    }

    /// Several uses in one short function may share the reason in the comment above it.
    private func inCommentedFunction(_ file: SourceFile, _ index: Int) -> Bool {
        guard let function = file.functions.last(where: { $0.lines.contains(index + 1) }),
            function.lines.count <= 20, function.lines.lowerBound > 1
        else { return false }
        return file.lines[function.lines.lowerBound - 2].contains(/^\s*\/\/\//)
    }

    @Test func noPathOfOneMachine() {
        let prefixes = ["work", "root"].map { "/\($0)/" }
        for file in SourceTree.everyText {
            for (number, line) in file.lines.enumerated() {
                for prefix in prefixes where line.contains(prefix) {
                    Issue.record("\(file):\(number + 1): names \(prefix), a place on one machine")
                }
            }
        }
    }

    @Test func oneTitleADocument() {
        for file in SourceTree.documents {
            var fenced = false
            var titles = 0
            for line in file.lines {
                if line.hasPrefix("```") { fenced.toggle() }
                if !fenced && line.hasPrefix("# ") { titles += 1 }
            }
            #expect(titles == 1, "\(file): \(titles) titles")
        }
    }

    private func imports(of file: SourceFile) -> [(line: Int, module: String)] {
        let access: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
        return file.code.enumerated().compactMap { index, line in
            let words = line.split(separator: " ").drop { $0.hasPrefix("@") || access.contains($0) }
            guard words.first == "import", let name = words.last else { return nil }
            return (index + 1, String(name.split(separator: ".").first ?? name))
        }
    }
}
