internal import Bytes

/// The labels of one batch, each once: its series refer to them by number (docs/formats/record.md).
struct LabelDictionary {
    private var index = KeyIndex()
    private(set) var count = 0
    /// As the payload has them: name and value of each label, length-prefixed.
    private(set) var bytes = ByteWriter()

    /// Forgets every label, and the storage of a rare large batch.
    mutating func removeAll(keeping limit: Int) {
        guard count > 0 else { return }
        index.removeAll()
        count = 0
        bytes.removeAll(keeping: limit)
    }

    func find(_ key: Hash128) -> UInt32? { index.find(key) }

    /// Adds a label that `find` does not know.
    mutating func add(_ key: Hash128, name: RawSpan, value: RawSpan) -> UInt32 {
        let number = UInt32(count)
        index.insert(key, number)
        count += 1
        bytes.lengthPrefixed(name)
        bytes.lengthPrefixed(value)
        return number
    }
}
