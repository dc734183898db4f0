internal import ArgumentParser
internal import Configuration
internal import DiskIO
internal import Glibc
internal import Ship

/// `czctl support-bundle`.
struct SupportBundle: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "support-bundle", abstract: "Gather what a colleague needs, without secrets and samples, in a tar",
        discussion: """
            Version, configuration with its origins, status, doctor's findings, files with their last errors, the \
            volume's names and sizes; of running services their metrics and the last 200 lines of their logs. \
            No key, password, presigned URL, label or value of a sample is in it; names of received metrics are only \
            in the configuration's filters. The contents are listed. Exit codes: 0 done, 4 no such volume.

            Examples:
              czctl support-bundle --config config.yml --file bundle.tar
              tar -tvf bundle.tar
            """)

    @OptionGroup var volume: VolumeOptions

    @Option(help: "The archive to make; it must not exist.")
    var file = "cirrus-support.tar"

    @OptionGroup var options: OutputOptions

    private struct Answer: Encodable {
        struct Entry: Encodable {
            let name: String
            let bytes: Int
        }

        let schema = "czctl.support-bundle/v1"
        let file: String
        let entries: [Entry]
    }

    func run() async throws {
        let layout = try volume.layout()
        let loaded = try volume.read(.tool)
        var entries: [(name: String, text: String)] = [
            ("version.txt", "czctl \(Version.number) (build \(Version.build))\n"),
            ("configuration.txt", Self.configuration(loaded)), ("system.txt", Self.system()),
        ]
        entries.append(("doctor.txt", await Self.part { await Self.doctor(try volume.serviceOptions(), layout) }))
        // Each part stands for itself: what one cannot read does not keep the others out.
        entries.append(("status.json", await Self.part { try await Self.status(layout) }))
        entries.append(("files.json", await Self.part { try await Self.files(layout) }))
        entries.append(("volume.txt", await Self.part { try Self.names(layout) }))
        entries += await Self.live(layout)
        var archive = TarArchive(modifiedSeconds: Clocks.system.wallMilliseconds() / 1000)
        for entry in entries { archive.add("cirrus-support/\(entry.name)", Array(entry.text.utf8)) }
        try Self.write(archive.finished, to: file)
        let shown = entries.map { Answer.Entry(name: $0.name, bytes: $0.text.utf8.count) }
        switch options.output {
        case .json: print(try options.encoded(Answer(file: file, entries: shown)))
        case .table:
            for entry in shown { print("\(entry.name)  \(HumanText.bytes(entry.bytes))") }
            printError("made \(file); look into it before you send it: tar -xOf \(file)")
        }
    }

    private static func configuration(_ loaded: Loaded) -> String {
        loaded.describe().map { "\($0.key) = \(HumanText.line($0.value))  (\($0.origin))\n" }.joined()
            + loaded.warnings.map { "warning: \($0)\n" }.joined()
    }

    private static func system() -> String {
        let files = ["/proc/version", "/proc/meminfo", "/proc/self/mounts", "/proc/self/limits", "/proc/self/cgroup"]
        return files.map { path in
            let text = HostFile.text(path)
            return "== \(path)\n\(text ?? "cannot be read\n")\n"
        }.joined()
    }

    private static func doctor(_ service: ServiceOptions, _ layout: VolumeLayout) async -> String {
        var doctor = Doctor(role: .run, data: layout.root, timeout: .seconds(10), fixes: false, wanted: nil)
        await doctor.examine(service)
        return doctor.diagnosis.findings.map { "\(DoctorCommand.text($0))\n" }.joined()
    }

    private static func part(_ body: () async throws -> String) async -> String {
        do { return try await body() } catch { return "cannot be read: \(error)\n" }
    }

    /// Of the services that run: their metrics, and the last lines of their logs.
    private static func live(_ layout: VolumeLayout) async -> [(name: String, text: String)] {
        var entries: [(name: String, text: String)] = []
        var sockets = [("collector", layout.collectorSocket)]
        // `czctl run` answers on both.
        if DirectoryLock.owner(of: layout.collectorLock) != DirectoryLock.owner(of: layout.shipperLock) {
            sockets.append(("shipper", layout.shipperSocket))
        }
        for (name, socket) in sockets {
            let reply = await ControlClient.request(path: socket, ControlCommand(name: .diagnose))
            guard let reply else { continue }
            entries.append(("metrics-\(name).txt", reply.metrics ?? ""))
            entries.append(("log-\(name).txt", reply.log?.joined() ?? ""))
        }
        return entries
    }

    private static func status(_ layout: VolumeLayout) async throws -> String {
        let inputs = try await StatusInputs.gather(
            layout: layout, fileSystem: PosixFileSystem(), clocks: .system, live: await LiveServices.ask(layout))
        return try Console.json(StatusReport(inputs)) + "\n"
    }

    /// Rows of the ledger without their URLs, which are secrets.
    private static func files(_ layout: VolumeLayout) async throws -> String {
        let now = Clocks.system.wallMilliseconds()
        let rows = try await LedgerCopy.read(layout, PosixFileSystem()) { ledger throws(ShipError) in
            try await ledger.list(.all)
        }
        return try Console.json(FileListing(files: (rows ?? []).map { FileListing.Entry($0, now: now) })) + "\n"
    }

    private static func names(_ layout: VolumeLayout) throws -> String {
        let fileSystem = PosixFileSystem()
        var text = ""
        for folder in [
            layout.root, layout.wal, layout.staging, layout.outbox, layout.uploaded, layout.abandoned,
            layout.quarantine, layout.reserve,
        ] where try fileSystem.exists(folder) {
            for name in try fileSystem.list(folder) {
                guard let status = try fileSystem.status("\(folder)/\(name)") else { continue }
                let owner = Permission.owner(of: "\(folder)/\(name)").map { $0.text } ?? ""
                text +=
                    "\(folder)/\(name)  \(status.byteCount)  \(HumanText.time(status.modifiedMilliseconds))  \(owner)\n"
            }
        }
        return text
    }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        guard let folder = RealPath.of(parent.isEmpty ? "/" : parent) else {
            throw CommandFailure(.notFound, "cannot write \(path): there is no directory \(parent)")
        }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        let file = try File("\(folder)/\(name)", .create, in: PosixFileSystem())
        try file.write(bytes, at: 0)
        try file.seal()
    }
}

/// A tar archive (POSIX ustar) of regular files, in memory.
struct TarArchive {
    private static let blockBytes = 512
    private static let nameByteLimit = 100

    private var bytes: [UInt8] = []
    private let modifiedSeconds: Int64

    init(modifiedSeconds: Int64) { self.modifiedSeconds = modifiedSeconds }

    /// - Precondition: a name of at most 100 bytes.
    mutating func add(_ name: String, _ content: [UInt8]) {
        precondition(name.utf8.count <= Self.nameByteLimit, "a short name")
        var header = [UInt8](repeating: 0, count: Self.blockBytes)
        func put(_ text: String, at offset: Int) {
            header.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        func octal(_ value: Int64, _ width: Int) -> String {
            let digits = String(value, radix: 8)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        put(name, at: 0)
        put(octal(0o600, 7), at: 100)
        put(octal(0, 7), at: 108)
        put(octal(0, 7), at: 116)
        put(octal(Int64(content.count), 11), at: 124)
        put(octal(modifiedSeconds, 11), at: 136)
        // The checksum is of a header with spaces in its place.
        put("        ", at: 148)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        put(octal(Int64(header.reduce(0) { $0 + Int($1) }), 6) + "\0 ", at: 148)
        bytes += header + content
        bytes += [UInt8](repeating: 0, count: (Self.blockBytes - content.count % Self.blockBytes) % Self.blockBytes)
    }

    /// With the two empty blocks of its end.
    var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 2 * Self.blockBytes) }
}
