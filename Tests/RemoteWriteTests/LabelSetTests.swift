import Bytes
import RemoteWrite
import Samples
import TestKit
import Testing

private typealias Build = RequestBuilder

/// Label sets of 1.0, most of them like the set before, in every way protobuf has to write a label.
@Suite("Label sets")
struct LabelSetTests {
    private typealias Set = [(name: String, value: String)]

    private static let limits = DecodeLimits(
        labelsPerSeries: 5, labelNameBytes: 16, labelValueBytes: 32, expandedLabelBytes: 1 << 20,
        valuesPerRequest: 1000)

    /// One step from a set to its neighbour; now and then to one that must be refused.
    private static func changed(_ set: Set, using random: inout SeededGenerator) -> Set {
        var next = set
        let position = Int.random(in: 0..<next.count, using: &random)
        let name = String("abcdef".randomElement(using: &random)!)
        let value = String(repeating: "v", count: Int.random(in: 0..<3, using: &random))
        switch Int.random(in: 0..<10, using: &random) {
        case 0...4: next[position].value = value + "w"
        case 5: next.insert((name, value), at: position)
        case 6: if next.count > 1 { next.remove(at: position) }
        case 7: next.swapAt(0, position)
        case 8: next.append(("z", value))
        default: next[position].name = name
        }
        return next
    }

    private static func isAccepted(_ set: Set) -> Bool {
        set.count <= limits.labelsPerSeries && zip(set, set.dropFirst()).allSatisfy { $0.name < $1.name }
            && set.contains { $0.name == "__name__" && !$0.value.isEmpty }
    }

    private static func flat(_ set: Set) -> [String] { set.flatMap { [$0.name, $0.value] } }

    /// Now and then the value first, or a name that a second one takes the place of, or a field nobody knows.
    private static func label(_ name: String, _ value: String, using random: inout SeededGenerator) -> [UInt8] {
        let (name, value) = (Build.field(1, Array(name.utf8)), Build.field(2, Array(value.utf8)))
        let forms = [
            value + name, Build.field(1, [0x71]) + name + value, name + Build.field(9, [1]) + value,
            name + Build.field(2, [0x71]) + value,
        ]
        return Build.field(
            1, Int.random(in: 0..<4, using: &random) > 0 ? name + value : forms.randomElement(using: &random)!)
    }

    /// Labels behind the sample now and then: they are gathered from where they lie.
    private static func series(_ set: Set, using random: inout SeededGenerator) -> [UInt8] {
        let sample = Build.field(2, Build.sample(0, 1))
        let labels = set.flatMap { label($0.name, $0.value, using: &random) }
        return Build.field(1, Int.random(in: 0..<6, using: &random) > 0 ? labels + sample : sample + labels)
    }

    @Test("each set is taken or refused as it would be alone", arguments: 0..<200)
    func model(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let decoding = Decoding(limits: Self.limits)
        var known: [[String]] = []
        for _ in 0..<4 {
            var set: Set = [("__name__", "m"), ("b", "1"), ("d", "2")]
            var body: [UInt8] = []
            var sets: [Set] = []
            for _ in 0..<60 {
                set = Self.isAccepted(set) || Bool.random(using: &random) ? set : [("__name__", "n"), ("d", "2")]
                set = Self.changed(set, using: &random)
                sets.append(set)
                body += Self.series(set, using: &random)
            }
            let result = try decoding.decode(body, .v1)
            let accepted = sets.filter(Self.isAccepted).map(Self.flat)
            #expect(result.written.samples == accepted.count)
            #expect(result.rejectedCount == sets.count - accepted.count)
            let batch = try decoding.batch(.v1)
            known += batch.series.map { series in
                batch.labels(series.labels).flatMap { [batch.text($0.name), batch.text($0.value)] }
            }
            #expect(batch.references.map { known[Int($0)] } == accepted)
        }
    }
}
