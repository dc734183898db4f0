internal import Bytes

/// Smallest and largest value of some rows, as the format stores them: PLAIN bytes without length, long strings cut.
package struct Bounds: Equatable {
    var min: [UInt8]
    var isMinExact: Bool
    /// nil when no text of at most the limit is above the largest value.
    var max: [UInt8]?
    var isMaxExact: Bool

    /// Of numbers, which are not NaN.
    init(_ range: NumberRange, _ kind: Column.Kind) {
        var (low, high) = (range.low, range.high)
        if kind == .double {
            // Readers take either zero for the other: the bounds hold both.
            if Double(word: low) == 0 { low = (-0.0).word }
            if Double(word: high) == 0 { high = 0.0.word }
        }
        min = Self.plain(low, kind)
        max = Self.plain(high, kind)
        (isMinExact, isMaxExact) = (true, true)
    }

    /// Of the strings from `smallest` to `largest`.
    init(smallest: [UInt8], largest: [UInt8], byteLimit: Int) {
        min = Self.lower(smallest, byteLimit)
        isMinExact = min.count == smallest.count
        max = Self.upper(largest, byteLimit)
        isMaxExact = max == largest
    }

    private static func plain(_ value: Int64, _ kind: Column.Kind) -> [UInt8] {
        if kind == .boolean { return [UInt8(truncatingIfNeeded: value)] }
        var writer = ByteWriter()
        writer.u64(UInt64(bitPattern: value))
        return writer.bytes
    }

    /// `value` cut to `byteLimit` bytes, at a character.
    package static func lower(_ value: [UInt8], _ byteLimit: Int) -> [UInt8] {
        value.count <= byteLimit ? value : cutCharacter([UInt8](value.prefix(byteLimit)))
    }

    /// A text of at most `byteLimit` bytes that no string beginning as `value` does is above; nil when there is none.
    package static func upper(_ value: [UInt8], _ byteLimit: Int) -> [UInt8]? {
        if value.count <= byteLimit { return value }
        let cut = cutCharacter([UInt8](value.prefix(byteLimit)))
        guard let text = String(validating: cut, as: UTF8.self) else {
            return incremented([UInt8](value.prefix(byteLimit)))
        }
        var scalars = [Unicode.Scalar](text.unicodeScalars)
        while let last = scalars.popLast() {
            // After U+D7FF comes U+E000; after U+10FFFF comes nothing, so the character before it is raised.
            let next = last.value == 0xD7FF ? 0xE000 : last.value + 1
            guard let raised = Unicode.Scalar(next) else { continue }
            var bound = ""
            bound.unicodeScalars.append(contentsOf: scalars)
            bound.unicodeScalars.append(raised)
            if bound.utf8.count <= byteLimit { return [UInt8](bound.utf8) }
        }
        return nil
    }

    /// The smallest byte string above all that begin with `prefix`, for bytes that are not UTF-8.
    private static func incremented(_ prefix: [UInt8]) -> [UInt8]? {
        var bound = prefix
        while let last = bound.popLast() {
            if last < 0xFF { return bound + [last + 1] }
        }
        return nil
    }

    /// `bytes` without a last character that is not whole.
    private static func cutCharacter(_ bytes: [UInt8]) -> [UInt8] {
        guard let lead = bytes.lastIndex(where: { $0 & 0xC0 != 0x80 }), bytes[lead] >= 0x80 else { return bytes }
        let length = bytes[lead] < 0xE0 ? 2 : bytes[lead] < 0xF0 ? 3 : 4
        return bytes.count - lead < length ? [UInt8](bytes[..<lead]) : bytes
    }
}

/// Bounds of a chunk and of each of its pages, taken from the values themselves: by the writer to state them, by
/// `verify` to check what is stated.
struct ChunkBounds: Equatable {
    /// nil when nothing can be compared: no value, or NaN alone.
    let chunk: Bounds?
    let pages: [Bounds?]
    /// Rows, and elements of lists and maps, that are not there.
    let nullCounts: [Int]
    /// DOUBLE only.
    let nanCounts: [Int]?
    private let isNullPage: [Bool]
    /// Bytes of the strings of each page, without lengths; nil for numbers.
    let stringByteCounts: [Int]?
    /// Dictionary only: whether every entry is the value of some row.
    let usesEveryEntry: Bool

    /// - Precondition: there is a page, and none is without rows; indexes are below the number of entries.
    init(_ values: ColumnValues, _ kind: Column.Kind, pages: [PageContent], byteLimit: Int) {
        switch values.elements {
        case .int64(let numbers): self.init(numbers, kind, pages)
        case .strings(let table): self.init(table, pages, byteLimit)
        case .dictionary(let entries, let indexes): self.init(entries, indexes, pages, byteLimit)
        case .nested: preconditionFailure("elements are not nested")
        }
    }

    private init(_ numbers: [Int64], _ kind: Column.Kind, _ pages: [PageContent]) {
        let ranges = pages.map { NumberRange(numbers.span.extracting($0.values), kind) }
        let whole = ranges.compactMap(\.self).reduce(nil) { $1.union($0, kind) }
        chunk = whole.map { Bounds($0, kind) }
        self.pages = ranges.map { $0.map { Bounds($0, kind) } }
        nullCounts = pages.map(\.nullCount)
        isNullPage = pages.map(\.values.isEmpty)
        nanCounts =
            kind == .double
            ? pages.map { page in numbers[page.values].count { Double(word: $0).isNaN } } : nil
        stringByteCounts = nil
        usesEveryEntry = true
    }

    /// Marks which entries a page uses, then compares only those.
    private init(_ entries: ByteTable, _ indexes: [UInt32], _ pages: [PageContent], _ byteLimit: Int) {
        var usedInPage = [Bool](repeating: false, count: entries.count)
        var usedInChunk = usedInPage
        var extremes: [Extremes?] = []
        var byteCounts: [Int] = []
        for page in pages {
            var byteCount = 0
            let rows = indexes.span.extracting(page.values)
            var start = 0
            while start < rows.count {
                let end = rows.endOfRun(from: start)
                let entry = Int(rows[start])
                usedInPage[entry] = true
                byteCount += entries.length(entry) * (end - start)
                start = end
            }
            var used: [Int] = []
            for entry in usedInPage.indices where usedInPage[entry] {
                used.append(entry)
                usedInPage[entry] = false
                usedInChunk[entry] = true
            }
            extremes.append(Extremes(entries, used))
            byteCounts.append(byteCount)
        }
        self.init(entries, pages, extremes, byteLimit, byteCounts, usesEveryEntry: usedInChunk.allSatisfy { $0 })
    }

    private init(_ table: ByteTable, _ pages: [PageContent], _ byteLimit: Int) {
        let byteCounts = pages.map {
            table.plainByteCount($0.values) - $0.values.count * ByteTable.lengthByteCount
        }
        let extremes = pages.map { Extremes(table, $0.values) }
        self.init(table, pages, extremes, byteLimit, byteCounts, usesEveryEntry: true)
    }

    private init(
        _ table: ByteTable, _ pages: [PageContent], _ extremes: [Extremes?], _ byteLimit: Int, _ byteCounts: [Int],
        usesEveryEntry: Bool
    ) {
        let all = Extremes(table, extremes.compactMap(\.self).flatMap { [$0.smallest, $0.largest] })
        chunk = all?.bounds(table, byteLimit)
        self.pages = extremes.map { $0?.bounds(table, byteLimit) }
        nullCounts = pages.map(\.nullCount)
        isNullPage = pages.map(\.values.isEmpty)
        nanCounts = nil
        stringByteCounts = byteCounts
        self.usesEveryEntry = usesEveryEntry
    }

    /// The pages' bounds as an index; nil when one page has values and no bounds.
    func columnIndex(_ kind: Column.Kind) -> ColumnIndex? {
        var index = ColumnIndex(isNullPage: isNullPage, nullCounts: nullCounts, nanCounts: nanCounts)
        for (page, isNull) in zip(pages, isNullPage) {
            guard isNull || page?.max != nil else { return nil }
            index.minimums.append(page?.min ?? [])
            index.maximums.append(page?.max ?? [])
        }
        let known = pages.compactMap(\.self)
        let neighbours = zip(known, known.dropFirst())
        func isOrdered(_ first: [UInt8]?, _ second: [UInt8]?) -> Bool {
            guard let first, let second else { return false }
            switch kind {
            case .int64, .timestampMilliseconds: return Self.number(first) <= Self.number(second)
            case .double: return Double(word: Self.number(first)) <= Double(word: Self.number(second))
            case .string, .boolean: return !second.lexicographicallyPrecedes(first)
            }
        }
        if neighbours.allSatisfy({ isOrdered($0.min, $1.min) && isOrdered($0.max, $1.max) }) {
            index.boundaryOrder = 1
        } else if neighbours.allSatisfy({ isOrdered($1.min, $0.min) && isOrdered($1.max, $0.max) }) {
            index.boundaryOrder = 2
        }
        return index
    }

    private static func number(_ plain: [UInt8]) -> Int64 {
        Int64(bitPattern: plain.reversed().reduce(0) { $0 << 8 | UInt64($1) })
    }

    var statistics: Statistics {
        Statistics(
            nullCount: nullCounts.reduce(0, +), max: chunk?.max, min: chunk?.min,
            isMaxExact: chunk?.max == nil ? nil : chunk?.isMaxExact, isMinExact: chunk?.isMinExact,
            nanCount: nanCounts.map { $0.reduce(0, +) })
    }
}

/// Rows of the smallest and largest of some strings.
private struct Extremes {
    var smallest: Int
    var largest: Int

    /// nil when there are no rows.
    init?(_ table: ByteTable, _ rows: some Collection<Int>) {
        guard let first = rows.first else { return nil }
        (smallest, largest) = (first, first)
        for row in rows {
            if ByteOrder.precedes(table[largest], table[row]) {
                largest = row
            } else if ByteOrder.precedes(table[row], table[smallest]) {
                smallest = row
            }
        }
    }

    func bounds(_ table: ByteTable, _ byteLimit: Int) -> Bounds {
        Bounds(smallest: [UInt8](table[smallest]), largest: [UInt8](table[largest]), byteLimit: byteLimit)
    }
}
