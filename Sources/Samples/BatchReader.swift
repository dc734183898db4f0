internal import Bytes
internal import Snappy

/// Why a record payload could not be read. Its checksum was right, so this is a fault of the program that wrote it, or
/// a format of a later version.
package struct BatchError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        case compression
        case truncated
        case version(UInt8)
        case field(String)
    }

    package let reason: Reason

    package var description: String {
        switch reason {
        case .compression: "cannot read batch: bad snappy block"
        case .truncated: "cannot read batch: it ends early"
        case .version(let version): "cannot read batch: format version \(version), this program knows 2; upgrade czctl"
        case .field(let name): "cannot read batch: bad \(name)"
        }
    }
}

/// A decoded batch. Label bytes stay in `bytes`; series and labels are ranges into it.
package struct Batch: Sendable {
    /// A byte range of `Batch.bytes`.
    package struct Slice: Equatable, Sendable {
        package let start: UInt32
        package let count: UInt32

        package var range: Range<Int> { Int(start)..<Int(start) + Int(count) }
    }

    package struct Label: Equatable, Sendable {
        package let name: Slice
        package let value: Slice
    }

    package struct Series: Equatable, Sendable {
        package let reference: UInt32
        package let streams: Streams
        /// Range of `Batch.labelReferences`.
        package let labels: Range<Int>
    }

    package struct Histogram: Equatable, Sendable {
        package let reference: UInt32
        package let timestamp: Int64
        package let source: WriteProtocol
        package let message: Slice
    }

    package struct Exemplar: Equatable, Sendable {
        package let reference: UInt32
        package let timestamp: Int64
        package let value: UInt64
        /// Range of `Batch.labelReferences`.
        package let labels: Range<Int>
    }

    package struct Metadata: Equatable, Sendable {
        package let type: UInt32
        package let family: Slice
        package let help: Slice
        package let unit: Slice
    }

    package internal(set) var bytes: [UInt8] = []
    package internal(set) var header: BatchHeader
    /// Each label once, for the batch's series and exemplars to refer to.
    package internal(set) var labels: [Label] = []
    /// Indices in `labels`: the label sets of series and exemplars, one behind the other.
    package internal(set) var labelReferences: [UInt32] = []
    package internal(set) var series: [Series] = []
    /// Sample columns, equally long. `startTimestamps` is empty when none is set.
    package internal(set) var references: [UInt32] = []
    package internal(set) var timestamps: [Int64] = []
    package internal(set) var values: [UInt64] = []
    package internal(set) var startTimestamps: [Int64] = []
    package internal(set) var histograms: [Histogram] = []
    package internal(set) var exemplars: [Exemplar] = []
    package internal(set) var metadata: [Metadata] = []

    /// The label set of a series or an exemplar.
    package func labels(_ set: Range<Int>) -> some RandomAccessCollection<Label> {
        labelReferences[set].lazy.map { labels[Int($0)] }
    }

    package func text(_ slice: Slice) -> String { String(decoding: bytes[slice.range], as: UTF8.self) }
}

extension BatchHeader {
    /// The header alone of a payload as `BatchEncoder` made it.
    /// - Parameter inflated: memory that is used again from one payload to the next.
    package init(payload: [UInt8], isCompressed: Bool, inflated: inout [UInt8]) throws(BatchError) {
        self = try Batch.decode(payload, isCompressed, &inflated) { bytes in try BatchParser.header(of: bytes) }
    }
}

extension Batch {
    /// Longest payload accepted, inflated: above what a request can make within the limits' defaults.
    package static let byteLimit = 256 << 20

    /// Decodes a payload as `BatchEncoder` made it.
    package init(payload: [UInt8], isCompressed: Bool) throws(BatchError) {
        var inflated: [UInt8] = []
        self = try Self.decode(payload, isCompressed, &inflated) { bytes in try BatchParser.parse(bytes) }
    }

    fileprivate static func decode<T>(
        _ payload: [UInt8], _ isCompressed: Bool, _ inflated: inout [UInt8], _ parse: ([UInt8]) throws -> T
    ) throws(BatchError) -> T {
        if isCompressed {
            do throws(SnappyError) {
                // SAFETY: UInt8 has no padding.
                try Snappy.decompress(unsafe payload.span.bytes, limit: Self.byteLimit, into: &inflated)
            } catch {
                throw BatchError(reason: .compression)
            }
        }
        do {
            return try parse(isCompressed ? inflated : payload)
        } catch let error as BatchError {
            throw error
        } catch {
            throw BatchError(reason: .truncated)  // the only ByteError a checksummed payload can give
        }
    }
}
