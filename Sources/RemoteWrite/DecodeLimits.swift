/// Limits of one request (I9). A request beyond them is refused with a 400 that names the limit.
package struct DecodeLimits: Sendable {
    package var labelsPerSeries: Int
    package var labelNameBytes: Int
    package var labelValueBytes: Int
    /// Label bytes that all new series of one request may expand to (v2's symbols can multiply).
    package var expandedLabelBytes: Int

    package init(labelsPerSeries: Int, labelNameBytes: Int, labelValueBytes: Int, expandedLabelBytes: Int) {
        self.labelsPerSeries = labelsPerSeries
        self.labelNameBytes = labelNameBytes
        self.labelValueBytes = labelValueBytes
        self.expandedLabelBytes = expandedLabelBytes
    }

    package static let standard = DecodeLimits(
        labelsPerSeries: 128, labelNameBytes: 1024, labelValueBytes: 1 << 20, expandedLabelBytes: 64 << 20)
}
