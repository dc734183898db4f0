import Bytes
import NIOCore
import Snappy

/// A sample that some sender made, as a reader of the final files sees it. Each is made once.
struct SampleID: Hashable, CustomStringConvertible {
    let sender: Int
    /// The sender's counter: it is the sample's value, and with the series it tells the timestamp.
    let number: Int

    var description: String { "\(sender)/\(number)" }
}

/// A write request and what its sender knows of it.
struct SentRequest {
    let body: [UInt8]
    let samples: [SampleID]
    /// Uptime of its first sending.
    let madeAt: Duration
    /// A 2xx came back.
    var isAcknowledged = false
    /// Its sender gave up: it is never sent again.
    var isForgotten = false
}

/// What was sent and what was promised: the oracle's side of the story (reliability.md C.3).
struct Truth {
    /// 2026-07-01T14:59:50Z: samples fall on both sides of an hour.
    static let start: Int64 = 1_782_917_990_000

    private(set) var requests: [SentRequest] = []
    private var counters: [Int: Int] = [:]

    /// Makes a request of `count` new samples of `sender`, over three series.
    mutating func make(sender: Int, count: Int, at now: Duration) -> Int {
        var samples: [SampleID] = []
        for _ in 0..<count {
            let number = counters[sender, default: 0]
            counters[sender] = number + 1
            samples.append(SampleID(sender: sender, number: number))
        }
        requests.append(SentRequest(body: Self.encode(samples), samples: samples, madeAt: now))
        return requests.count - 1
    }

    mutating func acknowledge(_ index: Int) { requests[index].isAcknowledged = true }
    mutating func forget(_ index: Int) { requests[index].isForgotten = true }

    /// Requests that their senders will send again.
    var open: [Int] { requests.indices.filter { !requests[$0].isAcknowledged && !requests[$0].isForgotten } }

    /// A v1 request, compressed as senders do.
    private static func encode(_ samples: [SampleID]) -> [UInt8] {
        var message: [UInt8] = []
        for sample in samples {
            let labels = [("__name__", "m\(sample.number % 3)"), ("node", "n1"), ("sender", "\(sample.sender)")]
            var series: [UInt8] = []
            for (name, value) in labels {
                series += field(1, field(1, Array(name.utf8)) + field(2, Array(value.utf8)))
            }
            var point = ByteWriter()
            point.varint(1 << 3 | 1)
            point.u64(Double(sample.number).bitPattern)
            point.varint(2 << 3)
            point.varint(UInt64(timestamp(sample)))
            message += field(1, series + field(2, point.bytes))
        }
        return Snappy.compress(message.span.bytes)
    }

    static func timestamp(_ sample: SampleID) -> Int64 { start + Int64(sample.number) * 500 }

    private static func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
        var out = ByteWriter()
        out.varint(number << 3 | 2)
        out.varint(UInt64(bytes.count))
        return out.bytes + bytes
    }

    /// Every sentence is a violation; none when all is well.
    func violations(_ rows: [SampleID: Int]) -> [String] {
        var found: [String] = []
        var known: Set<SampleID> = []
        for request in requests {
            for sample in request.samples {
                known.insert(sample)
                let count = rows[sample, default: 0]
                if request.isAcknowledged, count == 0 { found.append("\(sample) was acknowledged and is lost") }
                if count > 1 { found.append("\(sample) is there \(count) times") }
            }
        }
        for sample in rows.keys where !known.contains(sample) { found.append("\(sample) was never sent") }
        return found.sorted()
    }
}
