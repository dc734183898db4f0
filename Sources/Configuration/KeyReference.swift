extension Key {
    /// The reference of every key, a Markdown table for each top-level map; docs/configuration.md holds it.
    package static func markdownTable() -> String {
        var text = ""
        var section: String?
        for key in all {
            let parts = key.path.split(separator: ".")
            let current = parts.count > 1 ? String(parts[0]) : ""
            if current != section {
                section = current
                text += text.isEmpty ? "" : "\n"
                text += current.isEmpty ? "### The cluster\n\n" : "### `\(current)`\n\n"
                text +=
                    "| Key | Environment | Value | Default | Takes effect on | Meaning |\n|---|---|---|---|---|---|\n"
            }
            text += key.markdownRow
        }
        return text
    }

    /// The key that `path` was probably meant to be.
    package static func nearest(to path: String) -> String? { Configuration.nearest(to: path, among: all.map(\.path)) }

    private var markdownRow: String {
        let names = environmentNames.map { "`\($0)`" }.joined(separator: ", ")
        let cells = ["`\(path)`", names, type.summary, defaultText, change.rawValue, meaning].map {
            $0.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
        }
        return "| \(cells.joined(separator: " | ")) |\n"
    }

    /// What holds when it is not set, as Markdown; empty: nothing.
    package var defaultText: String {
        if let defaultNote { return defaultNote }
        guard let value = get(Settings()) else { return "" }
        return "`\(type.format(value))`"
    }
}
