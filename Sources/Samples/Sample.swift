/// A stream a series belongs to; each becomes files of its own kind.
package struct Streams: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Kind `metrics`: the cost stream.
    package static let cost = Streams(rawValue: 1)
    package static let observability = Streams(rawValue: 2)
}

/// The version of remote_write a request came in.
package enum WriteProtocol: UInt8, Sendable {
    case v1 = 1
    case v2 = 2
}

/// How many values of each kind a request holds: those accepted, in the words of the `-Written` headers.
package struct WrittenCounts: Equatable, Sendable {
    package var samples = 0
    package var histograms = 0
    package var exemplars = 0
    package var metadata = 0

    package init(samples: Int = 0, histograms: Int = 0, exemplars: Int = 0, metadata: Int = 0) {
        self.samples = samples
        self.histograms = histograms
        self.exemplars = exemplars
        self.metadata = metadata
    }
}

/// The answer a request got, kept with its batch so that a retransmit gets the same one.
package struct BatchAnswer: Equatable, Sendable {
    /// 204, or 400 when a part was refused.
    package var status: UInt16
    package var written: WrittenCounts
    /// Samples refused; each has a reason in `text`, as far as it has room.
    package var rejectedSamples: Int
    /// Samples accepted and dropped on purpose by a filter.
    package var filteredSamples: Int
    /// The body of a 400: reasons, at most 4 KiB.
    package var text: String

    package init(status: UInt16, written: WrittenCounts, rejectedSamples: Int, filteredSamples: Int, text: String) {
        self.status = status
        self.written = written
        self.rejectedSamples = rejectedSamples
        self.filteredSamples = filteredSamples
        self.text = text
    }

    /// Bytes of the answers' texts that are kept for retransmits, all together: reasons can have 4 KiB, and there may
    /// be a million answers. The newest keep theirs, since a retransmit comes soon.
    package static let keptTextByteLimit = 4 << 20

    /// What is kept of it beyond that.
    package var withoutReasons: BatchAnswer {
        BatchAnswer(
            status: status, written: written, rejectedSamples: rejectedSamples, filteredSamples: filteredSamples,
            text: status == 204 ? "" : "the reasons were given with the first answer\n")
    }
}

/// Limits of a sample's time: the years 0001 to 9999, beyond which readers of Parquet fail (parquet.md §1).
package enum SampleTime {
    package static let bounds: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999
}
