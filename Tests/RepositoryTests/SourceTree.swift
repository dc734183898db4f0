import Foundation

/// A text file of the repository, read whole.
struct SourceFile: Sendable, CustomStringConvertible {
    /// Relative to the repository's root, such as `Sources/WAL/Volume.swift`.
    let path: String
    let lines: [String]
    /// Of Swift files only.
    let code: [String]
    let functions: [FunctionExtent]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let swift = path.hasSuffix(".swift") ? SwiftText(text) : nil
        code = swift?.codeLines ?? []
        functions = swift?.functions() ?? []
    }

    /// `WAL` for `Sources/WAL/Volume.swift`.
    var module: String { path.split(separator: "/").dropFirst().first.map(String.init) ?? "" }
    var description: String { path }
}

/// What the repository holds, found from this file's own place.
enum SourceTree {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().standardizedFileURL

    /// Every text file of ours, by path.
    static let everyText = files()
    static let swift = everyText.filter { $0.path.hasSuffix(".swift") }
    static let sources = swift.filter { $0.path.hasPrefix("Sources/") }
    static let documents = everyText.filter { $0.path.hasSuffix(".md") }

    private static let suffixes: Set<String> = [
        "swift", "md", "py", "sh", "c", "h", "yml", "yaml", "json", "proto", "txt", "toml", "",
    ]
    /// Folders that git ignores, or that hold other people's files.
    private static let skipped: Set<String> = [
        ".git", ".build", ".venv", ".venv-senders", ".venv-readers", ".tools", ".payloads", "demo-data", "__pycache__",
        ".pytest_cache", "DerivedData",
    ]

    private static func files() -> [SourceFile] {
        guard let walker = FileManager.default.enumerator(at: root, includingPropertiesForKeys: [.isRegularFileKey])
        else { return [] }
        var found: [SourceFile] = []
        for case let url as URL in walker {
            let name = url.lastPathComponent
            if skipped.contains(name) || name.hasPrefix(".build") {
                walker.skipDescendants()
            } else if suffixes.contains(url.pathExtension), let file = read(url) {
                found.append(file)
            }
        }
        return found.sorted { $0.path < $1.path }
    }

    /// Nil for what is not a regular file of UTF-8 text: no rule is about those, hence the `try?`s.
    private static func read(_ url: URL) -> SourceFile? {
        guard (try? url.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) == true,
            let text = try? String(contentsOf: url, encoding: .utf8)
        else { return nil }
        let full = url.standardizedFileURL.path
        return SourceFile(path: String(full.dropFirst(root.path.count).drop { $0 == "/" }), text: text)
    }
}
