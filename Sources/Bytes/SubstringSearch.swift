/// What `_StringProcessing` has under the same names, byte by byte. That module, with the regular expressions it needs,
/// would be 5% of the image; and it compares whole characters, so that a combining mark behind `token=` hides it.
extension StringProtocol {
    /// Where `text` stands first. The product of both lengths bounds the time: for texts of some KiB.
    package func firstRange(of text: some StringProtocol) -> Range<Index>? {
        guard let first = text.utf8.first else { return startIndex..<startIndex }
        var rest = utf8[...]
        while let start = rest.firstIndex(of: first) {
            rest = rest[start...]
            if rest.starts(with: text.utf8) { return start..<rest.index(start, offsetBy: text.utf8.count) }
            rest.removeFirst()
        }
        return nil
    }

    package func contains(_ text: some StringProtocol) -> Bool { firstRange(of: text) != nil }

    /// With `replacement` in the place of each `text`, from the left.
    package func replacing(_ text: some StringProtocol, with replacement: some StringProtocol) -> String {
        guard !text.isEmpty else { return String(self) }
        var result = ""
        var from = startIndex
        while let found = self[from...].firstRange(of: text) {
            result += self[from..<found.lowerBound]
            result += replacement
            from = found.upperBound
        }
        result += self[from...]
        return result
    }
}
