internal import Bytes
internal import Parquet

/// The columns of layout `native` that say which series a row is of.
struct NativeSeries {
    /// Elements of the labels of a row group at most, one row excepted: 8 bytes each are in memory.
    static let labelLimit = 4 << 20
    private static let separator: UInt8 = 0xFF

    let catalog: SeriesCatalog
    let promotedLabels: [String]
    /// Whether a label of this name stays; nil = all stay.
    let keepsLabel: (@Sendable (RawSpan) -> Bool)?

    /// What becomes of a label, by its name.
    private enum Place {
        case dropped, name
        case promoted(Int)
        case map
    }

    private struct Promoted {
        var counts: [UInt32] = []
        var column: SymbolColumn
    }

    func metrics(_ spans: [SeriesSpan]) throws -> ColumnValues {
        var column = SymbolColumn(catalog)
        for span in spans { try column.append(catalog.metric[Int(span.series)], count: span.count) }
        return column.values
    }

    /// `series_hash`, the promoted labels, keys and values of `labels`.
    func columns(_ spans: [SeriesSpan]) throws -> [ColumnValues] {
        var hashes: [Int64] = []
        var promoted = promotedLabels.map { _ in Promoted(column: SymbolColumn(catalog)) }
        var counts: [UInt32] = []
        let labelCount = spans.reduce(0) { $0 + $1.count * catalog.labelSet($1.series).count }
        var (keys, values) = (
            SymbolColumn(catalog, reserving: labelCount), SymbolColumn(catalog, reserving: labelCount)
        )
        var places: [UInt32: Place] = [:]
        var text: [UInt8] = []
        for span in spans {
            text.removeAll(keepingCapacity: true)
            var own = [UInt32?](repeating: nil, count: promoted.count)
            var (names, texts): ([UInt32], [UInt32]) = ([], [])
            for number in catalog.labelSet(span.series) {
                let label = catalog.labels[Int(number)]
                switch place(of: number, &places) {
                case .dropped: continue
                case .name: break
                case .promoted(let index): own[index] = label.value
                case .map:
                    names.append(label.name)
                    texts.append(label.value)
                }
                for symbol in [label.name, label.value] {
                    text += catalog.text(symbol)
                    text.append(Self.separator)
                }
            }
            // SAFETY: UInt8 has no padding.
            let hash = Int64(bitPattern: xxh64(unsafe text.span.bytes))
            hashes.append(addingCapacity: span.count) { $0.append(repeating: hash, count: span.count) }
            for (index, symbol) in own.enumerated() {
                promoted[index].counts.append(contentsOf: repeatElement(symbol == nil ? 0 : 1, count: span.count))
                if let symbol { try promoted[index].column.append(symbol, count: span.count) }
            }
            let count = UInt32(names.count)
            counts.append(addingCapacity: span.count) { $0.append(repeating: count, count: span.count) }
            try keys.append(names, count: span.count)
            try values.append(texts, count: span.count)
        }
        return [.int64(hashes)] + promoted.map { .nested(counts: $0.counts, $0.column.values) }
            + [.nested(counts: counts, keys.values), .nested(counts: counts, values.values)]
    }

    private func place(of number: UInt32, _ known: inout [UInt32: Place]) -> Place {
        let name = catalog.labels[Int(number)].name
        if let place = known[name] { return place }
        let text = Array(catalog.text(name))
        let place: Place
        if catalog.isName(number) {
            place = .name
            // SAFETY: UInt8 has no padding.
        } else if let keepsLabel, unsafe !keepsLabel(text.span.bytes) {
            place = .dropped
        } else if let index = promotedLabels.firstIndex(where: { $0.utf8.elementsEqual(text) }) {
            place = .promoted(index)
        } else {
            place = .map
        }
        known[name] = place
        return place
    }
}
