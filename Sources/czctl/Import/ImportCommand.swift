internal import ArgumentParser
internal import Configuration
internal import Digest
internal import DiskIO
internal import Ingest
internal import Samples

/// `czctl import`.
struct Import: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take over the files that the CloudZero agent's collector has not sent",
        discussion: """
            Reads metrics_*.json.br and observability_*.json.br, checks each as a whole, and gives its rows to the log \
            of a stopped volume, each file once: what is interrupted or repeated goes on where it was. The rows become \
            Parquet and are shipped as usual, in the stream that the file's name says, once the service runs. Files \
            are told by their SHA-256 and stay where they are. Exit codes: 0 everything is imported; 4 no such file; \
            5 a collector runs, or the volume is full; 7 a file is damaged, the others are imported; 8 rows were \
            refused by the limits of the configuration.

            Examples:
              czctl import /cloudzero/data --config config.yml --dry-run
              czctl import /old/metrics_1751400000000_1751400600000.json.br --config config.yml
            """)

    @Argument(help: "Files, or directories with such files.")
    var paths: [String]

    @Flag(help: "Only check the files, and say what would be imported.")
    var dryRun = false

    @Option(help: "Where imported files are moved to, on the same file system; without it they stay.")
    var moveTo: String?

    @OptionGroup var volume: VolumeOptions
    @OptionGroup var options: OutputOptions

    private struct Answer: Encodable {
        struct File: Encodable {
            let path: String
            let sha256: String?
            /// imported, already imported, would be imported, not imported.
            let result: String
            let rows: Int
            let refusedRows: Int
            let error: String?
        }

        let schema = "czctl.import/v1"
        let dryRun: Bool
        var files: [File] = []

        var damaged: Int { files.count { $0.sha256 == nil } }
        var unmoved: Int { files.count { $0.sha256 != nil && $0.error != nil } }
        var refusedRows: Int { files.reduce(0) { $0 + $1.refusedRows } }
    }

    func run() async throws {
        _ = try volume.layout()
        let settings = try volume.load(.collector)
        var environment = try ServiceEnvironment(settings: settings, role: "import", component: .collector)
        // The manifest of a request is not to expire before the journal has its outcome.
        environment.settings.dedup.window = max(settings.dedup.window, .seconds(86_400))
        let folder = try moveTo.map(directory)
        let files = try found(environment.fileSystem)
        let answer =
            dryRun
            ? try dryRun(files, environment) : try await importing(files, environment, movingTo: folder)
        switch options.output {
        case .json: print(try options.encoded(answer))
        case .table:
            for file in answer.files {
                print("\(file.result)  \(file.path)  \(HumanText.grouped(file.rows)) rows")
                if let error = file.error { printError("czctl: \(error)") }
            }
            let rows = answer.files.reduce(0) { $0 + $1.rows }
            print("\(answer.files.count) files, \(HumanText.grouped(rows)) rows; \(answer.damaged) damaged")
        }
        if answer.damaged > 0 {
            throw CommandFailure(
                .damage, "\(answer.damaged) files are not imported",
                try: "repeat with their originals; files that are imported are passed over")
        }
        if answer.unmoved > 0 {
            throw CommandFailure(
                .partial, "\(answer.unmoved) files are imported and could not be moved",
                try: "move them by hand; what is imported is passed over")
        }
        guard answer.refusedRows == 0 else {
            throw CommandFailure(
                .partial, "\(answer.refusedRows) rows are over the limits of the configuration",
                try: "czctl config explain limits.labels_per_series")
        }
    }

    // MARK: Which files

    private func directory(_ path: String) throws -> String {
        guard let real = RealPath.of(path), try PosixFileSystem().status(real)?.isDirectory == true else {
            throw CommandFailure(.notFound, "cannot move files to \(path): there is no such directory")
        }
        return real
    }

    /// Oldest first, those of a stream together.
    private func found(_ fileSystem: any FileSystem) throws -> [AgentFile] {
        var files: [AgentFile] = []
        for path in paths {
            guard let real = RealPath.of(path), let status = try fileSystem.status(real) else {
                throw CommandFailure(.notFound, "cannot import \(path): there is no such file")
            }
            let folder = status.isDirectory ? real : String(real[..<(real.lastIndex(of: "/") ?? real.startIndex)])
            guard !folder.hasSuffix("/uploaded") else {
                throw CommandFailure(
                    .usage, "cannot import \(path): the agent has sent what is in its uploaded/",
                    try: "leave it out; or move what is to be sent again elsewhere")
            }
            if status.isDirectory {
                files += try fileSystem.list(real).compactMap { AgentFile(path: "\(real)/\($0)") }
            } else if let file = AgentFile(path: real) {
                files.append(file)
            } else {
                throw CommandFailure(
                    .usage,
                    "cannot import \(path): the name is not metrics_<start>_<stop>.json.br or observability_…",
                    try: "give it the name that the agent gave it: the name says its stream")
            }
        }
        return files.sorted {
            ($0.stream.rawValue, $0.startMilliseconds, $0.path) < ($1.stream.rawValue, $1.startMilliseconds, $1.path)
        }
    }

    // MARK: Work

    private func dryRun(_ files: [AgentFile], _ environment: ServiceEnvironment) throws -> Answer {
        let work = AgentImport(environment: environment)
        var answer = Answer(dryRun: true)
        for file in files {
            do {
                let contents = try work.check(file)
                let isKnown = try work.journal(contents)?.isComplete == true
                answer.files.append(
                    Self.entry(file, contents, isKnown ? "already imported" : "would be imported"))
            } catch let error as AgentFileError {
                answer.files.append(Self.entry(file, error))
            }
        }
        return answer
    }

    private func importing(
        _ files: [AgentFile], _ environment: ServiceEnvironment, movingTo folder: String?
    ) async throws -> Answer {
        let path = environment.layout.root
        guard !DirectoryLock.isHeld(environment.layout.collectorLock) else {
            throw CommandFailure(
                .temporary, "cannot import to \(path): a collector has the volume",
                try: "stop it, import, start it again: senders repeat what it misses")
        }
        let service = try await Service.start(environment, role: .collector, listens: false)
        let answer: Answer
        do {
            guard let collector = service.collector else { preconditionFailure("its role collects") }
            answer = try await importing(files, environment, collector, movingTo: folder)
        } catch {
            try await service.stop()
            throw error
        }
        try await service.stop()
        return answer
    }

    private func importing(
        _ files: [AgentFile], _ environment: ServiceEnvironment, _ collector: CollectorRuntime,
        movingTo folder: String?
    ) async throws -> Answer {
        let work = AgentImport(environment: environment)
        var answer = Answer(dryRun: false)
        var stream: Streams?
        let progress = Progress("rows imported")
        defer { progress.end() }
        for file in files {
            do {
                let contents = try work.check(file)
                let isKnown = try work.journal(contents)?.isComplete == true
                if !isKnown, stream != file.stream {
                    var options = environment.ingestOptions(reservedFor: environment.settings.destinations)
                    options.classify = { [kind = file.stream] _ in kind }
                    options.futureTolerance = .zero
                    try await collector.service.apply(options)
                    stream = file.stream
                }
                let journal = try await isKnown ? nil : work.store(file, contents, collector) { progress.add($0) }
                let unmoved = folder.flatMap { Self.move(file, to: $0, environment.fileSystem) }
                answer.files.append(
                    Self.entry(
                        file, contents, isKnown ? "already imported" : "imported",
                        refused: journal?.refusedRows ?? 0, error: unmoved))
            } catch let error as AgentFileError {
                answer.files.append(Self.entry(file, error))
            }
        }
        return answer
    }

    /// Why the file stays where it is. It is no reason to leave out the files after it: the next import knows this one.
    private static func move(_ file: AgentFile, to folder: String, _ fileSystem: any FileSystem) -> String? {
        do throws(IOError) {
            try fileSystem.renameExclusively(file.path, to: "\(folder)/\(file.name)")
            try fileSystem.syncDirectory(folder)
            return nil
        } catch {
            return "cannot move \(file.path), which is imported: \(error)"
        }
    }

    private static func entry(
        _ file: AgentFile, _ contents: AgentImport.Contents, _ result: String, refused: Int = 0,
        error: String? = nil
    ) -> Answer.File {
        Answer.File(
            path: file.path, sha256: hex(contents.sha256), result: result, rows: contents.rows,
            refusedRows: refused, error: error)
    }

    private static func entry(_ file: AgentFile, _ error: AgentFileError) -> Answer.File {
        Answer.File(
            path: file.path, sha256: nil, result: "not imported", rows: 0, refusedRows: 0, error: "\(error)")
    }
}
