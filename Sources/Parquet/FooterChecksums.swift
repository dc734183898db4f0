/// CRC-32 of what no page's CRC covers, in the footer's own keys: so that a reader notices damage of footer and indexes
/// before it believes them. Other readers ignore keys that they do not know.
enum FooterChecksums {
    /// Of the bytes between the last page and the footer.
    static let indexesKey = "cirrus.crc32.indexes"
    /// Of the footer, with eight zeros for this value.
    static let footerKey = "cirrus.crc32.footer"
    private static let unset = "00000000"

    static func hex(_ bytes: [UInt8]) -> String {
        // SAFETY: UInt8 has no padding.
        hex(CRC32.of(unsafe bytes.span.bytes))
    }

    static func hex(_ checksum: UInt32) -> String {
        let digits = String(checksum, radix: 16)
        return String(repeating: "0", count: unset.count - digits.count) + digits
    }

    /// Adds the keys; `metadata` must not change after it.
    static func add(to metadata: inout FileMetadata, indexes: [UInt8]) {
        metadata.keyValues += [
            FileMetadata.KeyValue(key: indexesKey, value: hex(indexes)),
            FileMetadata.KeyValue(key: footerKey, value: unset),
        ]
        var writer = CompactWriter()
        metadata.encode(to: &writer)
        metadata.keyValues[metadata.keyValues.count - 1] = FileMetadata.KeyValue(
            key: footerKey, value: hex(writer.bytes))
    }

    private static let writerName = "cirrus "

    /// Whether the file's keys are of its writer: pyarrow copies those of a file that it reads into what it writes. A
    /// flipped bit in our name leaves them ours, and so does one that makes `created_by` another field.
    static func areOurs(_ metadata: FileMetadata) -> Bool {
        let name = metadata.createdBy.unicodeScalars
        guard !name.isEmpty else { return metadata[footerKey] != nil }
        return zip(name, writerName.unicodeScalars).count { $0 != $1 } <= 1
    }

    /// Whether the footer is the one that its writer made; true for a writer that states neither key. One without the
    /// other is damage: a flipped bit in the name of a key is noticed, too.
    static func holds(_ metadata: FileMetadata, footer: [UInt8]) -> Bool {
        guard areOurs(metadata) else { return true }
        guard let stated = metadata[footerKey] else {
            return metadata[indexesKey] == nil
        }
        guard stated.utf8.count == unset.utf8.count, let place = lastValue(in: footer) else { return false }
        var bytes = footer
        bytes.replaceSubrange(place, with: unset.utf8)
        return hex(bytes) == stated
    }

    /// Where the value of `footerKey` stands: keys come after all statistics, whatever texts are in these.
    private static func lastValue(in footer: [UInt8]) -> Range<Int>? {
        // Behind the key comes its value's field header (binary, one id further) and length.
        let pattern = [UInt8](footerKey.utf8) + [0x18, UInt8(unset.utf8.count)]
        var start = footer.count - pattern.count - unset.utf8.count
        while start >= 0, !footer[start..<start + pattern.count].elementsEqual(pattern) { start -= 1 }
        return start < 0 ? nil : start + pattern.count..<start + pattern.count + unset.utf8.count
    }
}
