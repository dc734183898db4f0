internal import Bytes
internal import Snappy

/// The form of a remote_write body.
enum WriteVersion: String, CaseIterable, Sendable {
    case v1, v2

    var contentType: String {
        switch self {
        case .v1: "application/x-protobuf"
        case .v2: "application/x-protobuf;proto=io.prometheus.write.v2.Request"
        }
    }

    /// `X-Prometheus-Remote-Write-Version`.
    var header: String {
        switch self {
        case .v1: "0.1.0"
        case .v2: "2.0.0"
        }
    }
}

/// One remote_write body, compressed.
struct WriteBody: Sendable {
    var bytes: [UInt8]
    var version: WriteVersion
    /// Nil when the bytes came from a file.
    var sampleCount: Int?
}

/// Made-up series of a Kubernetes cluster, and their samples: the same for the same seed, on every machine.
///
/// A value is a function of seed, series and timestamp alone, so a test can say what it must read back.
struct SeriesGenerator: Sendable {
    /// Prometheus' marker of a series that ended.
    static let staleMarker = Double(bitPattern: 0x7FF0_0000_0000_0002)

    let series: [KubernetesSeries]
    let version: WriteVersion
    private let batches: [EncodedBatch]
    private let seed: UInt64
    private let staleMarkers: Bool

    /// - Parameter batchSize: series of one request, at most.
    init(seriesCount: Int, batchSize: Int, version: WriteVersion, seed: UInt64, staleMarkers: Bool = false) {
        precondition(seriesCount > 0 && batchSize > 0)
        let series = (0..<seriesCount).map { KubernetesSeries(index: $0, seed: seed) }
        batches = stride(from: 0, to: seriesCount, by: batchSize).map { first in
            EncodedBatch(series, first..<min(first + batchSize, seriesCount), version)
        }
        self.series = series
        self.version = version
        self.seed = seed
        self.staleMarkers = staleMarkers
    }

    /// Requests that together hold one sample of each series.
    var batchCount: Int { batches.count }

    /// The samples of one batch at `timestamp` (milliseconds since 1970).
    func body(batch: Int, timestamp: Int64) -> WriteBody {
        let batch = batches[batch]
        let bytes = batch.message(timestamp: timestamp) { value(of: $0, at: timestamp) }
        // SAFETY: UInt8 has no padding.
        return WriteBody(
            bytes: Snappy.compress(unsafe bytes.span.bytes), version: version, sampleCount: batch.range.count)
    }

    func value(of index: Int, at timestamp: Int64) -> Double {
        if staleMarkers, mix(seed, UInt64(index), UInt64(bitPattern: timestamp)) % 997 == 0 { return Self.staleMarker }
        return series[index].value(at: timestamp)
    }
}

/// A number made of three, evenly spread (the finalizer of SplitMix64).
func mix(_ a: UInt64, _ b: UInt64, _ c: UInt64) -> UInt64 {
    var z = a &+ b &* 0x9E37_79B9_7F4A_7C15 &+ c &* 0xD1B5_4A32_D192_ED03
    z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z &>> 31)
}
