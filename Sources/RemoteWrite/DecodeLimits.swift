/// Limits of one request (I9). A request beyond them is refused with a 400 that names the limit.
package struct DecodeLimits: Sendable {
    package var labelsPerSeries: Int
    package var labelNameBytes: Int
    package var labelValueBytes: Int
    /// Label bytes that all new series of one request may expand to (v2's symbols can multiply).
    package var expandedLabelBytes: Int
    /// Samples, histograms and exemplars: two bytes of a body can be one, which takes 32 to hold and up to 35 to store.
    package var valuesPerRequest: Int

    package init(
        labelsPerSeries: Int, labelNameBytes: Int, labelValueBytes: Int, expandedLabelBytes: Int, valuesPerRequest: Int
    ) {
        self.labelsPerSeries = labelsPerSeries
        self.labelNameBytes = labelNameBytes
        self.labelValueBytes = labelValueBytes
        self.expandedLabelBytes = expandedLabelBytes
        self.valuesPerRequest = valuesPerRequest
    }

    /// What a body of `bytes` can hold of samples that have a time: a tag, a length, and a timestamp of 7 bytes.
    package static func values(inBody bytes: Int) -> Int { bytes / 8 }

    package static let standard = DecodeLimits(
        labelsPerSeries: 128, labelNameBytes: 1024, labelValueBytes: 1 << 20, expandedLabelBytes: 64 << 20,
        valuesPerRequest: values(inBody: 32 << 20))
}
