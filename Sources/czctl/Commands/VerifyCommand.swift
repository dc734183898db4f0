internal import ArgumentParser
internal import Digest
internal import DiskIO
internal import Parquet
internal import WAL

/// `czctl verify`.
struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check every file and log segment of a volume",
        discussion: """
            Of a file: its SHA-256 against its name, its footer, and the CRCs of footer and indexes. With --deep also \
            every page, value, statistic and index, one against the other, and the footer's content hash. Of a file \
            that another program wrote the footer alone can be checked. Of a log segment: the CRC of every record. \
            Reads a volume that is running, was killed or is stopped, and writes nothing to it.

            With --remote the destinations are asked instead: whether each file that the ledger calls uploaded is \
            there with the ledger's size and SHA-256 (directory), or with its size and the ETag that the upload was \
            answered with (s3, one HEAD a file). What went through the CloudZero upload API cannot be asked for. Exit \
            codes: 0 good, 4 no such file, 6 a destination refuses its keys, 7 damage, or a file that is missing or \
            another, 8 something could not be asked, or not be checked.

            Examples:
              czctl verify --data ./demo-data
              czctl verify --deep demo-data/uploaded/*.parquet
              czctl verify --remote --config config.yml
            """)

    @Argument(help: "Parquet files; without any, the whole volume.", completion: .file(extensions: ["parquet"]))
    var files: [String] = []

    @OptionGroup var target: DataOptions

    @Flag(help: "Read every value of every file.")
    var deep = false

    @Flag(help: "Ask the destinations for what was shipped.")
    var remote = false

    @OptionGroup var options: OutputOptions

    func validate() throws {
        if remote, deep || !files.isEmpty { throw ValidationError("--remote takes neither files nor --deep") }
    }

    func run() async throws {
        if remote { return try await RemoteVerification.run(target, options) }
        var result = VerifyResult()
        if files.isEmpty {
            let layout = try target.layout()
            let folders = [layout.outbox, layout.uploaded, layout.abandoned]
            let progress = Progress("verified", total: try Self.byteCount(folders), isBytes: true)
            defer { progress.end() }
            for folder in folders { try check(folder: folder, &result) { progress.set($0) } }
            try checkLog(layout, &result)
        } else {
            for file in files {
                guard try check(file: file, &result) else {
                    throw CommandFailure(
                        .notFound, "cannot read \(file): no such file", try: "czctl files list -o name")
                }
            }
        }
        switch options.output {
        case .json: print(try options.encoded(result))
        case .table:
            for problem in result.problems { print(options.paint.first("damaged  \(problem.path): \(problem.cause)")) }
            for file in result.unchecked { print("not checked  \(file.path): \(file.cause)") }
            print(
                "checked  \(result.files) file(s), \(HumanText.grouped(result.rows)) rows,"
                    + " \(HumanText.bytes(result.bytes));"
                    + " \(result.segments) log segment(s), \(HumanText.grouped(result.records)) records;"
                    + " \(result.problems.count) problem(s)")
        }
        guard result.problems.isEmpty else {
            throw CommandFailure(
                .damage, "\(result.problems.count) of what was checked is damaged",
                try: "restore the files from their destination; czctl inspect wal SEGMENT for the log")
        }
        guard result.unchecked.isEmpty else {
            throw CommandFailure(
                .partial, "\(result.unchecked.count) file(s) are of a kind that cannot be checked",
                try: "the program that wrote them, or czctl inspect parquet FILE")
        }
    }

    private static func byteCount(_ folders: [String]) throws -> Int {
        let fileSystem = PosixFileSystem()
        return try folders.filter { try fileSystem.exists($0) }.reduce(0) { sum, folder in
            try fileSystem.list(folder).reduce(sum) { sum, name in
                sum + Int(clamping: try fileSystem.status("\(folder)/\(name)")?.byteCount ?? 0)
            }
        }
    }

    /// - Parameter progress: bytes so far, after each file.
    private func check(folder: String, _ result: inout VerifyResult, progress: (Int) -> Void) throws {
        let fileSystem = PosixFileSystem()
        guard try fileSystem.exists(folder) else { return }
        for name in try fileSystem.list(folder) where ReferenceID(name) != nil {
            // False for one that was purged meanwhile.
            _ = try check(file: "\(folder)/\(name)", &result)
            progress(result.bytes)
        }
    }

    /// False when there is no such file.
    private func check(file: String, _ result: inout VerifyResult) throws -> Bool {
        guard let real = RealPath.of(file) else { return false }
        let source: OpenedFile
        do throws(IOError) {
            source = try OpenedFile(real, in: PosixFileSystem())
        } catch {
            guard error.isNotFound else { throw error }
            return false
        }
        result.files += 1
        result.bytes += source.count
        do {
            result.rows += try Self.rows(source, name: real, deep: deep)
        } catch let error as ParquetError {
            let problem = VerifyResult.Problem(path: file, cause: "\(error)")
            if error.isDamage { result.problems.append(problem) } else { result.unchecked.append(problem) }
        }
        return true
    }

    private static func rows(_ source: OpenedFile, name: String, deep: Bool) throws -> Int {
        let rows: Int
        if deep {
            rows = try ParquetFile.verify(source).rows
        } else {
            let file = try ParquetFile(source: source)
            try file.checkKeys()
            rows = file.metadata.rowCount
        }
        let name = name.lastIndex(of: "/").map { String(name[name.index(after: $0)...]) } ?? name
        if let id = ReferenceID(name), !hex(try source.sha256()).hasPrefix(id.hash) {
            throw ParquetError(.corrupt("its SHA-256 is not the one in its name"))
        }
        return rows
    }

    private func checkLog(_ layout: VolumeLayout, _ result: inout VerifyResult) throws {
        let fileSystem = PosixFileSystem()
        guard try fileSystem.exists(layout.wal) else { return }
        let directory = SegmentDirectory(layout.wal, in: fileSystem)
        for id in try directory.segments() {
            do {
                var scanner = try SegmentScanner(
                    id, statedEnding: try directory.statedEnding(of: id), directory: directory, in: fileSystem)
                let summary = try scanner.scan { _ in result.records += 1 }
                result.segments += 1
                for range in summary.damage {
                    result.problems.append(
                        VerifyResult.Problem(
                            path: directory.path(of: id), cause: "bytes \(range.start) to \(range.end) are damaged"))
                }
            } catch let error as IOError where error.isNotFound {
                continue  // compacted meanwhile
            }
        }
    }
}

/// `czctl.verify/v1`.
private struct VerifyResult: Encodable {
    struct Problem: Encodable {
        let path: String
        let cause: String
    }

    let schema = "czctl.verify/v1"
    var files = 0
    var rows = 0
    var bytes = 0
    var segments = 0
    var records = 0
    var problems: [Problem] = []
    /// Files that may be whole, and that we cannot judge.
    var unchecked: [Problem] = []
}
