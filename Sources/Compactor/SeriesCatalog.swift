internal import Bytes
internal import Samples

/// The series of a plan, each once: symbol numbers of its labels, its metric and its node.
struct SeriesCatalog {
    private(set) var symbols = SymbolPool()
    /// Name and value symbols in turn, series after series; names ascend within a series.
    private var labels: [UInt32] = []
    private var starts: [Int] = [0]
    /// Symbol of the value of `__name__` and of `node` (or of the empty text).
    private(set) var metric: [UInt32] = []
    private(set) var node: [UInt32] = []
    private var index: [Hash128: UInt32] = [:]
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

    /// The number of a series.
    mutating func add(_ series: Batch.Series, of batch: Batch) -> UInt32 {
        // SAFETY: UInt8 has no padding; the batch's slices lie within its bytes.
        let bytes = unsafe batch.bytes.span.bytes
        let first = labels.count
        var found = (metric: emptySymbol, node: emptySymbol)
        for label in batch.labels(series.labels) {
            let name = symbols.intern(bytes.extracting(label.name.range))
            let value = symbols.intern(bytes.extracting(label.value.range))
            labels.append(name)
            labels.append(value)
            if name == nameSymbol { found.metric = value }
            if name == nodeSymbol { found.node = value }
        }
        // SAFETY: UInt32 has no padding. Symbols are unique, so equal numbers are equal labels.
        let key = unsafe Hash128(of: labels.span.bytes.extracting((first * 4)..<(labels.count * 4)), seed: 0)
        if let known = index[key] {
            labels.removeLast(labels.count - first)
            return known
        }
        let number = UInt32(count)
        index[key] = number
        starts.append(labels.count)
        metric.append(found.metric)
        node.append(found.node)
        return number
    }

    /// Name and value symbols of a series, in turn.
    func labels(of series: UInt32) -> ArraySlice<UInt32> { labels[starts[Int(series)]..<starts[Int(series) + 1]] }

    func isName(_ symbol: UInt32) -> Bool { symbol == nameSymbol }

    /// Bytes of the text of a symbol.
    func text(_ symbol: UInt32) -> ArraySlice<UInt8> { symbols.bytes[symbols.range(symbol)] }

    /// Appends the label set of a series as JSON.
    /// - Parameter keeps: whether a label stays, by the symbol of its name.
    func appendJSON(_ series: UInt32, to out: inout [UInt8], keeps: (UInt32) -> Bool) {
        out.append(UInt8(ascii: "{"))
        var isFirst = true
        let labels = labels(of: series)
        var at = labels.startIndex
        while at < labels.endIndex {
            defer { at += 2 }
            guard keeps(labels[at]) else { continue }
            if !isFirst { out.append(UInt8(ascii: ",")) }
            isFirst = false
            out.append(UInt8(ascii: "\""))
            LabelsJSON.appendString(text(labels[at]), to: &out)
            out.append(UInt8(ascii: ":"))
            out.append(UInt8(ascii: "\""))
            LabelsJSON.appendString(text(labels[at + 1]), to: &out)
        }
        out.append(UInt8(ascii: "}"))
    }
}

/// The two orders of a catalog's series.
struct SeriesOrder {
    private let catalog: SeriesCatalog
    private let ranks: [UInt32]
    /// Rank of each series' metric by plain bytes: the order of the column metric_name.
    private let metricRanks: [UInt32]

    init(_ catalog: SeriesCatalog) {
        self.catalog = catalog
        ranks = catalog.symbols.ranks()
        let metrics = Set(catalog.metric).sorted {
            catalog.text($0).lexicographicallyPrecedes(catalog.text($1))
        }
        var rankOfMetric: [UInt32: UInt32] = [:]
        for (rank, symbol) in metrics.enumerated() { rankOfMetric[symbol] = UInt32(rank) }
        metricRanks = catalog.metric.map { rankOfMetric[$0]! }
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
        let (a, b) = (catalog.labels(of: left), catalog.labels(of: right))
        var (i, j) = (a.startIndex, b.startIndex)
        while true {
            if skippingName {
                if i < a.endIndex, catalog.isName(a[i]) { i += 2 }
                if j < b.endIndex, catalog.isName(b[j]) { j += 2 }
            }
            // `}` is after `,`: the set that goes on is the smaller.
            if i >= a.endIndex || j >= b.endIndex {
                return i >= a.endIndex && j >= b.endIndex ? nil : j >= b.endIndex
            }
            if a[i] != b[j] { return ranks[Int(a[i])] < ranks[Int(b[j])] }
            if a[i + 1] != b[j + 1] { return ranks[Int(a[i + 1])] < ranks[Int(b[j + 1])] }
            i += 2
            j += 2
        }
    }
}
