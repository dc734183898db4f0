internal import ArgumentParser
internal import Bytes
internal import Compactor
internal import Digest
internal import RemoteWrite
internal import Samples

/// `-o` of `czctl cat`.
enum CatFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case text, json
}

/// Prints batches as lines. Memory: one batch, and the series of one segment.
struct CatPrinter {
    private struct Series {
        let isWanted: Bool
        /// As JSON an object, as text `name{label="value"}`.
        let labels: String
        let streams: Streams
    }

    private static let flushBytes = 64 << 10

    private let format: CatFormat
    private let metric: String?
    /// Conditions on series; nil wants every one of the metric, and the lines of requests.
    private let selection: RowSelection?
    /// Values that may still be printed; nil is no limit.
    private var left: Int?
    private var segment: UInt64 = 0
    private var series: [UInt32: Series] = [:]
    private var out = ""

    init(_ format: CatFormat, metric: String?) {
        self.format = format
        self.metric = metric
        selection = nil
    }

    /// Prints values of some series alone, at most `limit`.
    init(_ format: CatFormat, selection: RowSelection, limit: Int?) {
        self.format = format
        metric = selection.metric
        self.selection = selection
        left = limit
    }

    /// Whether the limit is reached.
    var isDone: Bool { left == 0 }

    /// References are the segment's own.
    mutating func startSegment(_ segment: UInt64) {
        self.segment = segment
        series = [:]
    }

    mutating func flush() {
        Swift.print(out, terminator: "")
        Console.flush()
        out = ""
    }

    mutating func print(_ batch: Batch, lsn: UInt64, offset: UInt64) {
        define(batch)
        var header: String? = selection == nil ? request(batch.header, lsn: lsn, offset: offset) : nil
        if metric == nil { line(&header, nil) }
        for index in batch.references.indices { printSample(index, batch, &header) }
        for histogram in batch.histograms { printHistogram(histogram, batch, &header) }
        for exemplar in batch.exemplars { printExemplar(exemplar, batch, &header) }
        for metadata in batch.metadata { printMetadata(metadata, batch, &header) }
    }

    /// Takes note of its series, whose values later batches hold.
    mutating func define(_ batch: Batch) { for entry in batch.series { define(entry, batch) } }

    /// The request's line comes before the first of its values that is wanted.
    private mutating func line(_ header: inout String?, _ text: String?) {
        guard !isDone else { return }
        if let first = header.take() { out += first + "\n" }
        if let text {
            out += text + "\n"
            left? -= 1
        }
        if out.utf8.count >= Self.flushBytes { flush() }
    }

    private mutating func define(_ entry: Batch.Series, _ batch: Batch) {
        let pairs = batch.labels(entry.labels).map { (batch.text($0.name), batch.text($0.value)) }
        let name = pairs.first { $0.0 == "__name__" }?.1 ?? ""
        let labels =
            switch format {
            case .json: CatText.object(pairs)
            case .text: CatText.plain(name) + CatText.braces(pairs.filter { $0.0 != "__name__" })
            }
        let isWanted = selection?.matches(entry, batch) ?? (metric ?? name == name)
        series[entry.reference] = Series(isWanted: isWanted, labels: labels, streams: entry.streams)
    }

    /// The series of a value; nil when it is not asked for. One whose definition is lost is shown by its number.
    private func wanted(_ reference: UInt32) -> (labels: String, streams: String)? {
        guard let found = series[reference] else {
            guard metric == nil, selection == nil else { return nil }
            return (format == .json ? "{\"reference\":\(reference)}" : "{reference=\(reference)}", "[]")
        }
        guard found.isWanted else { return nil }
        let names =
            (found.streams.contains(.cost) ? ["\"cost\""] : [])
            + (found.streams.contains(.observability) ? ["\"observability\""] : [])
        return (found.labels, "[\(names.joined(separator: ","))]")
    }

    private func request(_ header: BatchHeader, lsn: UInt64, offset: UInt64) -> String {
        let answer = header.answer
        let written = answer.written
        switch format {
        case .json:
            return "{\"kind\":\"request\",\"segment\":\(segment),\"offset\":\(offset),\"lsn\":\(lsn),"
                + "\"received_at\":\(header.receivedAt),\"protocol\":\"\(header.source)\","
                + "\"fingerprint\":\"\(header.fingerprint.hex)\",\"status\":\(answer.status),"
                + "\"written\":{\"samples\":\(written.samples),\"histograms\":\(written.histograms),"
                + "\"exemplars\":\(written.exemplars),\"metadata\":\(written.metadata)},"
                + "\"rejected\":\(answer.rejectedSamples),\"filtered\":\(answer.filteredSamples),"
                + "\"reasons\":\(CatText.quoted(answer.text))}"
        case .text:
            return
                "# request segment=\(segment) offset=\(offset) lsn=\(lsn) received=\(HumanText.time(header.receivedAt))"
                + " protocol=\(header.source) fingerprint=\(header.fingerprint.hex) status=\(answer.status)"
                + " samples=\(written.samples) histograms=\(written.histograms) exemplars=\(written.exemplars)"
                + " metadata=\(written.metadata) rejected=\(answer.rejectedSamples) filtered=\(answer.filteredSamples)"
                + (answer.text.isEmpty ? "" : " reasons=\(CatText.quoted(answer.text))")
        }
    }

    private mutating func printSample(_ index: Int, _ batch: Batch, _ header: inout String?) {
        guard let series = wanted(batch.references[index]) else { return }
        let bits = batch.values[index]
        let start = batch.startTimestamps.isEmpty ? 0 : batch.startTimestamps[index]
        let timestamp = batch.timestamps[index]
        switch format {
        case .json:
            line(
                &header,
                "{\"kind\":\"sample\",\"labels\":\(series.labels),\"timestamp\":\(timestamp),"
                    + "\(CatText.value(bits))\(start == 0 ? "" : ",\"start_timestamp\":\(start)"),"
                    + "\"streams\":\(series.streams)}")
        case .text:
            let value = Double(bitPattern: bits)
            line(
                &header,
                "\(series.labels) \(CatText.number(value)) @\(timestamp)"
                    + (value.isNaN ? " bits=0x\(String(bits, radix: 16))" : "")
                    + (CatText.isStale(bits) ? " stale" : "")
                    + (start == 0 ? "" : " start=\(start)"))
        }
    }

    private mutating func printHistogram(_ entry: Batch.Histogram, _ batch: Batch, _ header: inout String?) {
        guard let series = wanted(entry.reference) else { return }
        let message = Array(batch.bytes[entry.message.range])
        let histogram = HistogramMessage(message)
        switch format {
        case .json:
            line(
                &header,
                "{\"kind\":\"histogram\",\"labels\":\(series.labels),\"timestamp\":\(entry.timestamp),"
                    + "\"protocol\":\"\(entry.source)\",\(histogram.map { CatText.json($0) + "," } ?? "")"
                    + "\"message\":\"\(hex(message))\",\"streams\":\(series.streams)}")
        case .text:
            line(
                &header,
                "histogram \(series.labels) \(histogram.map(CatText.text) ?? "message=\(hex(message))") "
                    + "@\(entry.timestamp)")
        }
    }

    private mutating func printExemplar(_ entry: Batch.Exemplar, _ batch: Batch, _ header: inout String?) {
        guard let series = wanted(entry.reference) else { return }
        let pairs = batch.labels(entry.labels).map { (batch.text($0.name), batch.text($0.value)) }
        switch format {
        case .json:
            line(
                &header,
                "{\"kind\":\"exemplar\",\"labels\":\(series.labels),\"exemplar_labels\":\(CatText.object(pairs)),"
                    + "\"timestamp\":\(entry.timestamp),\(CatText.value(entry.value)),\"streams\":\(series.streams)}")
        case .text:
            let value = Double(bitPattern: entry.value)
            line(
                &header,
                "exemplar \(series.labels) # \(CatText.braces(pairs)) \(CatText.number(value)) @\(entry.timestamp)"
                    + (value.isNaN ? " bits=0x\(String(entry.value, radix: 16))" : ""))
        }
    }

    private mutating func printMetadata(_ entry: Batch.Metadata, _ batch: Batch, _ header: inout String?) {
        let family = batch.text(entry.family)
        // Metadata have no labels that a condition could hold for.
        guard metric ?? family == family, selection?.hasConditions != true else { return }
        let type = MetadataType.name(UInt64(entry.type))
        let (help, unit) = (CatText.quoted(batch.text(entry.help)), CatText.quoted(batch.text(entry.unit)))
        switch format {
        case .json:
            line(
                &header,
                "{\"kind\":\"metadata\",\"family\":\(CatText.quoted(family)),\"type\":\"\(type)\","
                    + "\"help\":\(help),\"unit\":\(unit)}")
        case .text:
            line(
                &header,
                "metadata \(CatText.plain(family)) type=\(type) help=\(help) unit=\(unit)")
        }
    }
}

/// Values and labels as text that reads back to the same bytes.
enum CatText {
    private static let staleBits: UInt64 = 0x7FF0_0000_0000_0002

    static func isStale(_ bits: UInt64) -> Bool { bits == staleBits }

    /// The shortest decimal that reads back to the same double; a NaN's bits are told beside it.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        let text = "\(value)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// JSON members of a sample's or exemplar's value.
    static func value(_ bits: UInt64) -> String {
        let value = Double(bitPattern: bits)
        let text = "\"value\":\"\(number(value))\""
        guard value.isNaN else { return text }
        return text + ",\"bits\":\"\(String(bits, radix: 16))\"" + (isStale(bits) ? ",\"stale\":true" : "")
    }

    /// A JSON string.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            default:
                // C1 controls too: what a sender wrote does not steer a terminal.
                if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
                    let digits = String(scalar.value, radix: 16)
                    quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                } else {
                    quoted.unicodeScalars.append(scalar)
                }
            }
        }
        return quoted + "\""
    }

    /// A metric's name: bare where it is one of the classic form.
    static func plain(_ name: String) -> String {
        let isClassic = name.utf8.allSatisfy {
            (0x30...0x3A).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x5F
        }
        return isClassic ? name : quoted(name)
    }

    static func object(_ pairs: [(String, String)]) -> String {
        "{" + pairs.map { "\(quoted($0.0)):\(quoted($0.1))" }.joined(separator: ",") + "}"
    }

    static func braces(_ pairs: [(String, String)]) -> String {
        "{" + pairs.map { "\(plain($0.0))=\(quoted($0.1))" }.joined(separator: ",") + "}"
    }

    // MARK: Histograms

    static func json(_ histogram: HistogramMessage) -> String {
        let isFloat = histogram.floatCount != nil
        let count = histogram.floatCount.map { "\"\(number($0))\"" } ?? "\(histogram.count)"
        let zeros =
            isFloat ? "\"\(number(histogram.floatZeroCount ?? 0))\"" : "\(histogram.zeroCount)"
        return "\"type\":\"\(isFloat ? "float" : "integer")\",\"schema\":\(histogram.schema),\"count\":\(count),"
            + "\"sum\":\"\(number(histogram.sum))\","
            + (histogram.sum.isNaN ? "\"sum_bits\":\"\(String(histogram.sum.bitPattern, radix: 16))\"," : "")
            + "\"zero_threshold\":\"\(number(histogram.zeroThreshold))\",\"zero_count\":\(zeros),"
            + json(histogram.negative, "negative") + json(histogram.positive, "positive")
            + "\"custom_values\":[\(list(histogram.customValues))],"
            + "\"reset_hint\":\"\(ResetHint.name(histogram.resetHint))\""
            + (histogram.startTimestamp == 0 ? "" : ",\"start_timestamp\":\(histogram.startTimestamp)")
    }

    private static func json(_ side: HistogramMessage.Buckets, _ name: String) -> String {
        let spans = side.spans.map { "[\($0.offset),\($0.length)]" }.joined(separator: ",")
        let deltas = side.deltas.map(String.init).joined(separator: ",")
        return "\"\(name)_spans\":[\(spans)],\"\(name)_deltas\":[\(deltas)],\"\(name)_counts\":[\(list(side.counts))],"
    }

    private static func list(_ values: [Double]) -> String {
        values.map { "\"\(number($0))\"" }.joined(separator: ",")
    }

    static func text(_ histogram: HistogramMessage) -> String {
        var text = "schema=\(histogram.schema) count=\(histogram.floatCount.map(number) ?? "\(histogram.count)")"
        text += " sum=\(number(histogram.sum))"
        if histogram.sum.isNaN { text += " sum_bits=0x\(String(histogram.sum.bitPattern, radix: 16))" }
        text += " zero_threshold=\(number(histogram.zeroThreshold))"
        text += " zero_count=\(histogram.floatZeroCount.map(number) ?? "\(histogram.zeroCount)")"
        text += self.text(histogram.negative, "negative") + self.text(histogram.positive, "positive")
        if !histogram.customValues.isEmpty {
            text += " custom_values=[\(histogram.customValues.map(number).joined(separator: ","))]"
        }
        text += " reset_hint=\(ResetHint.name(histogram.resetHint))"
        return text + (histogram.startTimestamp == 0 ? "" : " start=\(histogram.startTimestamp)")
    }

    private static func text(_ side: HistogramMessage.Buckets, _ name: String) -> String {
        guard !side.spans.isEmpty else { return "" }
        let spans = side.spans.map { "\($0.offset):\($0.length)" }.joined(separator: ",")
        let buckets =
            side.counts.isEmpty
            ? "\(name)_deltas=[\(side.deltas.map(String.init).joined(separator: ","))]"
            : "\(name)_counts=[\(side.counts.map(number).joined(separator: ","))]"
        return " \(name)_spans=[\(spans)] \(buckets)"
    }
}
