import Bytes
import DiskIO
import Parquet

/// Rows of finished files, read back as the samples they hold.
struct ShippedRows {
    private(set) var counts: [SampleID: Int] = [:]
    /// Rows that are no sample of ours: a sentence each.
    private(set) var strangers: [String] = []

    private final class MemoryFile: ByteSource {
        let bytes: [UInt8]
        init(_ bytes: [UInt8]) { self.bytes = bytes }
        var count: Int { bytes.count }
        func read(at offset: Int, count: Int) -> [UInt8] {
            Array(bytes[min(offset, bytes.count)..<min(offset + count, bytes.count)])
        }
    }

    mutating func add(_ name: String, _ bytes: [UInt8]) {
        do {
            try read(name, ParquetFile(source: MemoryFile(bytes)))
        } catch {
            strangers.append("\(name) cannot be read: \(error)")
        }
    }

    private mutating func read(_ name: String, _ file: ParquetFile<MemoryFile>) throws {
        for group in file.metadata.rowGroups.indices {
            let metric = Self.strings(try file.readColumn(rowGroup: group, column: 6))
            let labels = Self.strings(try file.readColumn(rowGroup: group, column: 10))
            let value = Self.strings(try file.readColumn(rowGroup: group, column: 11))
            guard case .int64(let timestamps) = try file.readColumn(rowGroup: group, column: 9) else { continue }
            for row in timestamps.indices {
                let sender = labels[row].split(separator: "\"").last { Int($0) != nil }.flatMap { Int($0) }
                let sample = SampleID(sender: sender ?? -1, number: Int(value[row]) ?? -1)
                let isRight = timestamps[row] == Truth.timestamp(sample) && metric[row] == "m\(sample.number % 3)"
                if !isRight {
                    strangers.append("\(name): row \(row) is \(labels[row]) \(timestamps[row]) \(value[row])")
                }
                counts[sample, default: 0] += 1
            }
        }
    }

    private static func strings(_ values: ColumnValues) -> [String] {
        func text(_ table: ByteTable, _ index: Int) -> String { String(decoding: [UInt8](table[index]), as: UTF8.self) }
        switch values {
        case .dictionary(let entries, let indexes): return indexes.map { text(entries, Int($0)) }
        case .strings(let table): return (0..<table.count).map { text(table, $0) }
        case .int64, .nested: return []
        }
    }
}
