/// Sizes as Kubernetes writes them: `20Gi`, `500M`, `1e9`, `1.5Ki`, `4096`; `16MiB` too. A part of a byte is rounded
/// up.
enum Quantity {
    private static let units: [(suffix: String, bytes: Int)] = [
        ("Ei", 1 << 60), ("Pi", 1 << 50), ("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10),
        ("E", 1_000_000_000_000_000_000), ("P", 1_000_000_000_000_000), ("T", 1_000_000_000_000), ("G", 1_000_000_000),
        ("M", 1_000_000), ("k", 1000), ("", 1),
    ]

    /// nil for any other text, a negative size, and from 8 EiB on.
    static func parse(_ text: String) -> Int? {
        var rest = Substring(text)
        if rest.hasPrefix("+") { rest.removeFirst() }
        guard var number = DecimalNumber(scanning: &rest) else { return nil }
        number.scanExponent(&rest)
        guard let unit = units.first(where: { rest == $0.suffix || rest == $0.suffix + "B" }) else { return nil }
        return number.scaled(by: unit.bytes, rounding: .up)
    }

    /// The shortest exact text that `parse` reads back.
    static func format(_ byteCount: Int) -> String {
        guard byteCount > 0 else { return "\(byteCount)" }
        let exact = units.filter { byteCount % $0.bytes == 0 }.map { "\(byteCount / $0.bytes)\($0.suffix)" }
        return exact.min { $0.utf8.count < $1.utf8.count } ?? "\(byteCount)"
    }

    /// What the writer of `text` probably meant: `16mib` is 16Mi, `20 gb` is 20G.
    static func suggestion(for text: String) -> String? {
        guard text.utf8.count <= 64 else { return nil }
        var rest = Substring(text.filter { $0 != " " && $0 != "_" })
        guard let number = DecimalNumber(scanning: &rest) else { return nil }
        let word = rest.lowercased()
        let letters = word.hasSuffix("bytes") ? word.dropLast(5) : word.hasSuffix("b") ? word.dropLast() : word[...]
        guard let unit = units.first(where: { $0.suffix.lowercased() == letters }) else { return nil }
        let suggested = number.text + unit.suffix
        return suggested != text && parse(suggested) != nil ? suggested : nil
    }
}
