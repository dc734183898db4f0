import CLinux
import Compactor
import DiskIO
import Glibc
import Parquet

/// What files cost: `Benchmarks/parquet.py` runs it, one step a process, and reads the JSON line it ends with.
///
///     parquet-bench write TABLE FILE PROFILE      sorted rows of series references -> one file
///     parquet-bench log TABLE DIRECTORY ROWS      rows in the order they came -> a volume with sealed segments
///     parquet-bench compact DIRECTORY ROWS LAYOUT the volume's log -> files of at most ROWS rows in its outbox/
///
/// TABLE is what `write_bin` of Tests/Independent/cluster.py writes.
@main struct ParquetBench {
    static func main() throws {
        clinux_tune_malloc()  // as czctl does: what is freed goes back at once
        let arguments = CommandLine.arguments.dropFirst()
        switch (arguments.first, arguments.count) {
        case ("write", 4): try write(arguments[2], arguments[3], profile: arguments[4])
        case ("log", 4): try TableLog(try BenchTable(arguments[2])).write(to: arguments[3], rows: Int(arguments[4])!)
        case ("compact", 4):
            let layout = arguments[4] == "native" ? TableLayout.native : .cloudzero
            try LogCompaction.run(arguments[2], rowsPerFile: Int(arguments[3])!, layout)
        default:
            fatalError("see Benchmarks/parquet.py")
        }
    }

    /// From sorted series references alone: what pyarrow does with dictionary input.
    private static func write(_ input: String, _ output: String, profile: String) throws {
        let table = try BenchTable(input)
        let builder = try TableColumns(table)
        let meter = Meter()
        let options = WriterOptions(
            createdBy: "cirrus version 0.0.0 (build bench)", sortingColumns: WriterOptions.cloudzeroSorting,
            profile: WriterProfile(rawValue: profile)!)
        var writer = try ParquetWriter(schema: .cloudzero, options: options, sink: try FileSink(output))
        var row = 0
        while row < table.rowCount {
            let end = min(table.rowCount, row + options.profile.rowGroupRowLimit)
            try writer.write(rowGroup: try builder.columns(row..<end))
            row = end
        }
        var file = try writer.finish(keyValues: [])
        try file.sink.finish()
        meter.report(rows: table.rowCount, bytes: file.sink.byteCount)
    }
}

/// CPU and memory from its making on.
struct Meter {
    private let cpu = Self.cpuSeconds
    private let baseline: Int

    init() {
        // Makes VmHWM count from here.
        if let file = fopen("/proc/self/clear_refs", "w") {
            fputs("5", file)
            fclose(file)
        }
        baseline = Self.kibibytes("VmRSS:")
    }

    func report(rows: Int, bytes: Int) {
        let peak = Self.kibibytes("VmHWM:")
        print(
            "{\"rows\": \(rows), \"bytes\": \(bytes), \"cpu_s\": \(Self.cpuSeconds - cpu),"
                + " \"base_rss_mib\": \(Double(baseline) / 1024), \"above_mib\": \(Double(peak - baseline) / 1024)}")
    }

    private static var cpuSeconds: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }

    private static func kibibytes(_ key: String) -> Int {
        guard let file = fopen("/proc/self/status", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, Int32(line.count), file) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            if text.hasPrefix(key) { return text.split { !$0.isNumber }.first.flatMap { Int($0) } ?? 0 }
        }
        return 0
    }
}

struct FileSink: ByteSink {
    private let file: UnsafeMutablePointer<FILE>
    private(set) var byteCount = 0

    init(_ path: String) throws {
        guard let file = fopen(path, "w") else { fatalError("cannot write \(path)") }
        self.file = file
    }

    mutating func write(_ bytes: [UInt8]) throws {
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { fatalError("cannot write the file") }
        byteCount += bytes.count
    }

    mutating func finish() throws { fclose(file) }
}
