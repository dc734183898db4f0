internal import Bytes
internal import Samples

/// The series of a plan, each once: numbers of its labels, its metric and its node.
struct SeriesCatalog {
    /// Symbols of a label.
    struct Label: Hashable {
        let name: UInt32
        let value: UInt32
    }

    private(set) var symbols = SymbolPool()
    /// Each name with each of its values, once.
    private(set) var labels: [Label] = []
    private var labelSlots = SlotTable()
    /// Indices in `labels`, series after series; names ascend within a series.
    private var sets: [UInt32] = []
    private var starts: [Int] = [0]
    /// Symbol of the value of `__name__` and of `node` (or of the empty text).
    private(set) var metric: [UInt32] = []
    private(set) var node: [UInt32] = []
    private var slots = SlotTable()
    private let nameSymbol: UInt32
    private let nodeSymbol: UInt32
    private let emptySymbol: UInt32

    init() {
        nameSymbol = Self.intern("__name__", &symbols)
        nodeSymbol = Self.intern("node", &symbols)
        emptySymbol = Self.intern("", &symbols)
    }

    private static func intern(_ text: String, _ symbols: inout SymbolPool) -> UInt32 {
        let bytes = Array(text.utf8)
        // SAFETY: UInt8 has no padding.
        return symbols.intern(unsafe bytes.span.bytes)
    }

    var count: Int { metric.count }

    /// The numbers of a batch's series.
    mutating func add(_ batch: Batch) -> [UInt32] {
        // Those that only exemplars have are left out.
        var numbers = [UInt32](repeating: .max, count: batch.labels.count)
        return batch.series.map { series in
            let set = batch.labelReferences[series.labels]
            for reference in set where numbers[Int(reference)] == .max {
                numbers[Int(reference)] = number(of: batch.labels[Int(reference)], in: batch)
            }
            return add(set.lazy.map { numbers[Int($0)] })
        }
    }

    private mutating func number(of label: Batch.Label, in batch: Batch) -> UInt32 {
        // SAFETY: UInt8 has no padding; the batch's slices lie within its bytes.
        let bytes = unsafe batch.bytes.span.bytes
        let label = Label(
            name: symbols.intern(bytes.extracting(label.name.range)),
            value: symbols.intern(bytes.extracting(label.value.range)))
        if let known = labelSlots.find(hash(label), matches: { labels[$0] == label }) { return UInt32(known) }
        if labelSlots.isFull { labelSlots = labelSlots.widened { hash(labels[$0]) } }
        labelSlots.add(hash(label))
        labels.append(label)
        return UInt32(labels.count - 1)
    }

    private func hash(_ label: Label) -> UInt64 {
        let product = (UInt64(label.name) << 32 | UInt64(label.value) ^ labelSlots.seed)
            .multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }

    private mutating func add(_ set: some Sequence<UInt32>) -> UInt32 {
        let first = sets.count
        sets.append(contentsOf: set)
        let added = first..<sets.count
        let hash = hash(added)
        // Labels are unique, so equal numbers are equal labels.
        if let known = slots.find(hash, matches: { sets[places($0)] == sets[added] }) {
            sets.removeLast(added.count)
            return UInt32(known)
        }
        if slots.isFull { slots = slots.widened { self.hash(places($0)) } }
        slots.add(hash)
        starts.append(sets.count)
        metric.append(value(of: nameSymbol, in: sets[added]))
        node.append(value(of: nodeSymbol, in: sets[added]))
        return UInt32(count - 1)
    }

    /// Where the labels of a series stand in `sets`.
    private func places(_ series: Int) -> Range<Int> { starts[series]..<starts[series + 1] }

    private func hash(_ places: Range<Int>) -> UInt64 {
        // SAFETY: UInt32 has no padding.
        unsafe xxh3(sets.span.bytes.extracting((places.lowerBound * 4)..<(places.upperBound * 4)), seed: slots.seed)
    }

    private func value(of name: UInt32, in set: ArraySlice<UInt32>) -> UInt32 {
        set.last { labels[Int($0)].name == name }.map { labels[Int($0)].value } ?? emptySymbol
    }

    /// Indices in `labels` of those of a series.
    func labelSet(_ series: UInt32) -> ArraySlice<UInt32> { sets[places(Int(series))] }

    /// Whether a label is the metric's name.
    func isName(_ label: UInt32) -> Bool { labels[Int(label)].name == nameSymbol }

    /// Bytes of the text of a symbol.
    func text(_ symbol: UInt32) -> ArraySlice<UInt8> { symbols.bytes[symbols.range(symbol)] }

    /// Bytes of the JSON strings of a label, without their opening quotes, where no byte needs an escape.
    func plainByteCount(_ label: UInt32) -> Int {
        let label = labels[Int(label)]
        return symbols.range(label.name).count + symbols.range(label.value).count + 2
    }

    /// As `appendJSON` of all labels, none of which needs an escape.
    /// - Precondition: `room` is enough.
    func appendPlainJSON(_ set: ArraySlice<UInt32>, to room: inout OutputSpan<UInt8>) {
        // SAFETY: the buffers are used only within the closures; every copy ends within `buffer`, which is asserted.
        unsafe room.withUnsafeMutableBufferPointer { buffer, written in
            unsafe symbols.bytes.withUnsafeBytes { text in
                guard let target = buffer.baseAddress, let source = text.baseAddress else { return }
                var at = written
                func put(_ byte: UInt8) {
                    precondition(at < buffer.count, "the bytes were counted")
                    // SAFETY: at is below the buffer's count.
                    unsafe target[at] = byte
                    at += 1
                }
                func put(_ symbol: UInt32) {
                    let range = symbols.range(symbol)
                    precondition(range.count < buffer.count - at, "the bytes were counted")
                    // SAFETY: the text and the quote behind it end within the buffer; range lies within the pool.
                    unsafe UnsafeMutableRawPointer(target + at)
                        .copyMemory(from: source + range.lowerBound, byteCount: range.count)
                    unsafe target[at + range.count] = UInt8(ascii: "\"")
                    at += range.count + 1
                }
                var separator = UInt8(ascii: "{")
                for number in set {
                    let label = labels[Int(number)]
                    put(separator)
                    put(UInt8(ascii: "\""))
                    put(label.name)
                    put(UInt8(ascii: ":"))
                    put(UInt8(ascii: "\""))
                    put(label.value)
                    separator = UInt8(ascii: ",")
                }
                put(UInt8(ascii: "}"))
                written = at
            }
        }
    }

    /// Appends the label set of a series as JSON.
    /// - Parameter keeps: whether a label stays, by the symbol of its name.
    func appendJSON(_ series: UInt32, to out: inout [UInt8], keeps: (UInt32) -> Bool) {
        out.append(UInt8(ascii: "{"))
        var isFirst = true
        for number in labelSet(series) {
            let label = labels[Int(number)]
            guard keeps(label.name) else { continue }
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            out.append(UInt8(ascii: "\""))
            LabelsJSON.appendString(text(label.name), to: &out)
            out.append(UInt8(ascii: ":"))
            out.append(UInt8(ascii: "\""))
            LabelsJSON.appendString(text(label.value), to: &out)
        }
        out.append(UInt8(ascii: "}"))
    }
}

/// The two orders of a catalog's series.
struct SeriesOrder {
    private let catalog: SeriesCatalog
    /// The place of each label among all, by the bytes of its JSON. No such text begins another, so comparing label
    /// sets rank by rank is comparing their JSON byte by byte.
    private let ranks: [UInt32]
    /// Bytes of the JSON strings of each label, without their opening quotes.
    private let jsonByteCounts: [UInt32]
    /// Rank of each series' metric by plain bytes: the order of the column metric_name.
    private let metricRanks: [UInt32]

    init(_ catalog: SeriesCatalog) {
        self.catalog = catalog
        let symbols = catalog.symbols.ranks()
        let keys = catalog.labels.map { label in
            UInt64(symbols.ranks[Int(label.name)]) << 32 | UInt64(symbols.ranks[Int(label.value)])
        }
        var ranks = [UInt32](repeating: 0, count: keys.count)
        for (rank, label) in keys.indices.sorted(by: { keys[$0] < keys[$1] }).enumerated() {
            ranks[label] = UInt32(rank)
        }
        self.ranks = ranks
        jsonByteCounts = catalog.labels.map { symbols.byteCounts[Int($0.name)] + symbols.byteCounts[Int($0.value)] }
        let metrics = Set(catalog.metric).sorted {
            catalog.text($0).lexicographicallyPrecedes(catalog.text($1))
        }
        var rankOfMetric: [UInt32: UInt32] = [:]
        for (rank, symbol) in metrics.enumerated() { rankOfMetric[symbol] = UInt32(rank) }
        metricRanks = catalog.metric.map { rankOfMetric[$0]! }
    }

    /// Bytes of `appendJSON`.
    func jsonByteCount(_ series: UInt32) -> Int {
        // Braces; for each label an opening quote twice, a colon, and a comma but for the last.
        let set = catalog.labelSet(series)
        return set.reduce(2 + max(0, 4 * set.count - 1)) { $0 + Int(jsonByteCounts[Int($1)]) }
    }

    /// Appends the label set of a series as JSON.
    func appendJSON(_ series: UInt32, to out: inout [UInt8]) {
        let set = catalog.labelSet(series)
        guard !set.isEmpty, set.allSatisfy({ catalog.plainByteCount($0) == Int(jsonByteCounts[Int($0)]) }) else {
            return catalog.appendJSON(series, to: &out) { _ in true }
        }
        out.append(addingCapacity: jsonByteCount(series)) { room in catalog.appendPlainJSON(set, to: &room) }
    }

    /// Order of the rows: metric_name, then labels as JSON text.
    func isInRowOrder(_ left: UInt32, _ right: UInt32) -> Bool {
        let (a, b) = (metricRanks[Int(left)], metricRanks[Int(right)])
        return a != b ? a < b : precedes(left, right, skippingName: false) ?? false
    }

    /// Order of the labels dictionary: the labels without `__name__`, then the metric: all metrics of one container
    /// stand together (parquet.md §6).
    func isInEntityOrder(_ left: UInt32, _ right: UInt32) -> Bool {
        precedes(left, right, skippingName: true) ?? (metricRanks[Int(left)] < metricRanks[Int(right)])
    }

    /// Whether the JSON of `left` is before that of `right`; nil when they are equal.
    private func precedes(_ left: UInt32, _ right: UInt32, skippingName: Bool) -> Bool? {
        let (a, b) = (catalog.labelSet(left), catalog.labelSet(right))
        var (i, j) = (a.startIndex, b.startIndex)
        while true {
            if skippingName {
                if i < a.endIndex, catalog.isName(a[i]) { i += 1 }
                if j < b.endIndex, catalog.isName(b[j]) { j += 1 }
            }
            // `}` is after `,`: the set that goes on is the smaller.
            if i >= a.endIndex || j >= b.endIndex {
                return i >= a.endIndex && j >= b.endIndex ? nil : j >= b.endIndex
            }
            if a[i] != b[j] { return ranks[Int(a[i])] < ranks[Int(b[j])] }
            i += 1
            j += 1
        }
    }
}
