/// Why a whole request could not be decoded: answer 400, nothing of it is stored.
package struct DecodeError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        /// The protobuf ends inside a field, or a varint is too long.
        case malformed
        /// v2: the symbol table does not begin with the empty string.
        case firstSymbol
        /// The labels, exemplars and metadata of the request expand beyond the limit.
        case expandedLabels(limit: Int)
        /// More values than real samples have room for in a body of `limits.decoded_bytes`.
        case tooManyValues(limit: Int)
    }

    package let reason: Reason
    /// Byte offset in the decompressed body.
    package let offset: Int

    package init(reason: Reason, offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    package var description: String {
        "cannot decode write request at byte \(offset): \(cause)"
    }

    private var cause: String {
        switch reason {
        case .malformed: "bad protobuf; send prometheus.WriteRequest or io.prometheus.write.v2.Request"
        case .firstSymbol: "the first symbol must be the empty string"
        case .expandedLabels(let limit):
            "labels expand beyond limits.expanded_label_bytes, \(limit) bytes; send fewer series a request"
        case .tooManyValues(let limit):
            "more than \(limit) samples, an eighth of limits.decoded_bytes; send fewer samples a request"
        }
    }
}

/// Why one series, or one sample of it, was refused while the rest of the request is stored.
package enum Rejection: Equatable, Sendable {
    case noLabels
    case noName
    case emptyLabelName
    case unsortedLabels(name: String)
    case duplicateLabel(name: String)
    case invalidUTF8
    case tooManyLabels(limit: Int)
    case labelNameTooLong(bytes: Int, limit: Int)
    case labelValueTooLong(name: String, bytes: Int, limit: Int)
    case exemplarTooLong(bytes: Int, limit: Int)
    case oddReferences
    case symbolOutOfRange(reference: UInt64, count: Int)
    case mixedSamplesAndHistograms
    case noValues
    case timestampOutOfRange(Int64)
    /// Later than now and `limits.future_time`.
    case inFuture(Int64, limit: Duration)
    case histogram(HistogramFault)

    package var text: String {
        switch self {
        case .noLabels: "no labels"
        case .noName: "no __name__ label"
        case .emptyLabelName: "a label without a name"
        case .unsortedLabels(let name): "labels are not sorted at \"\(name)\""
        case .duplicateLabel(let name): "label \"\(name)\" twice"
        case .invalidUTF8: "labels are not UTF-8"
        case .tooManyLabels(let limit): "more labels than limits.labels_per_series, \(limit)"
        case .labelNameTooLong(let bytes, let limit):
            "a label name of \(bytes) bytes, limits.label_name_bytes is \(limit)"
        case .labelValueTooLong(let name, let bytes, let limit):
            "label \"\(name)\" has a value of \(bytes) bytes, limits.label_value_bytes is \(limit)"
        case .exemplarTooLong(let bytes, let limit): "labels of \(bytes) bytes, an exemplar may have \(limit)"
        case .oddReferences: "an odd number of label references"
        case .symbolOutOfRange(let reference, let count): "symbol \(reference) of \(count)"
        case .mixedSamplesAndHistograms: "samples and histograms in one series"
        case .noValues: "neither samples nor histograms"
        case .timestampOutOfRange(let timestamp): "timestamp \(timestamp) is outside the years 0001 to 9999"
        case .inFuture(let timestamp, let limit):
            "timestamp \(timestamp) is more than limits.future_time, \(limit), in the future"
        case .histogram(let fault): "native histogram: \(fault.rawValue)"
        }
    }

    /// A short stable word for the label `reason` of a counter.
    package var metricReason: String {
        switch self {
        case .noLabels, .noName, .emptyLabelName: "no_name"
        case .unsortedLabels, .duplicateLabel: "bad_labels"
        case .invalidUTF8: "invalid_utf8"
        case .tooManyLabels, .labelNameTooLong, .labelValueTooLong, .exemplarTooLong: "label_limit"
        case .oddReferences, .symbolOutOfRange: "bad_symbols"
        case .mixedSamplesAndHistograms, .noValues: "bad_series"
        case .timestampOutOfRange: "timestamp"
        case .inFuture: "future"
        case .histogram: "histogram"
        }
    }

    /// All values of `metricReason`.
    package static let metricReasons = [
        "no_name", "bad_labels", "invalid_utf8", "label_limit", "bad_symbols", "bad_series", "timestamp", "future",
        "histogram",
    ]
}
