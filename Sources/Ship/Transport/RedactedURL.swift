internal import Bytes

/// A URL whose query is a secret: a presigned URL lets whoever reads it write. It prints only up to the `?`, in every
/// way Swift prints things; `text` is for the transport and the ledger alone.
package struct RedactedURL: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    package let text: String

    package init(_ text: String) { self.text = text }

    package var description: String { Self.cut(text) }
    /// Which object it is: no secret.
    var withoutQuery: String { String(text.prefix { $0 != "?" }) }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["url": description]) }

    private static func cut(_ url: String) -> String {
        guard let mark = url.utf8.firstIndex(of: UInt8(ascii: "?")) else { return url }
        return url[..<mark] + "?…"
    }

    /// `text` with the query of every URL in it cut: for words that came from a server or a library.
    package static func scrubbed(_ text: String) -> String {
        guard text.contains("?") || text.contains("X-Amz-") else { return text }
        let words = text.split(separator: " ", omittingEmptySubsequences: false).map { word in
            let isSecret = word.contains("://") || word.contains("X-Amz-") || word.contains("Signature=")
            guard isSecret, let mark = word.utf8.firstIndex(of: UInt8(ascii: "?")) else {
                return word.contains("X-Amz-") ? "…" : String(word)
            }
            return word[..<mark] + "?…"
        }
        return words.joined(separator: " ")
    }
}
