internal import ArgumentParser
internal import Configuration
internal import DiskIO
internal import FoundationEssentials
internal import Glibc

/// Which volume a command means: `--data`, else the configuration's, else `CZCTL_DATA`, else the default.
struct DataOptions: ParsableArguments {
    @Option(help: "The storage path of the volume.", completion: .directory)
    var data: String?

    @Option(
        name: [.long, .customLong("config", withSingleDash: true)],
        help: "A configuration file, whose database.storage_path is meant.", completion: .file())
    var config: String?

    /// The volume, which must exist. One that was guessed is named on standard error.
    /// - Throws: `.notFound` when there is no such directory; `.usage` for a configuration that cannot be used.
    func layout() throws -> VolumeLayout {
        let (path, isGuessed) = try chosen()
        if isGuessed { printError("czctl: using \(path) (no --data, --config or CZCTL_DATA)") }
        guard let real = RealPath.of(path), try PosixFileSystem().status(real)?.isDirectory == true else {
            throw CommandFailure(
                .notFound, "cannot read the volume \(path): there is no such directory",
                try: "czctl \(CzCtl.words.dropFirst().first ?? "status") --data DIR, or --config FILE")
        }
        let layout = VolumeLayout(root: real)
        try layout.refuseStrangers()
        return layout
    }

    /// The settings of `--config` or of the usual file, over the volume of `--data`, if it is given.
    func settings() throws -> Settings {
        let usual = FileManager.default.fileExists(atPath: ConfigurationFile.usualPath)
        let path = config ?? (usual ? ConfigurationFile.usualPath : nil)
        let overrides = data.map { [(key: "database.storage_path", value: $0)] } ?? []
        return try ConfigurationFile.load(path, role: .tool, overrides: overrides).settings
    }

    private func chosen() throws -> (path: String, isGuessed: Bool) {
        if let data { return (data, false) }
        if let config {
            return (try ConfigurationFile.load(config, role: .tool).settings.database.storagePath, false)
        }
        if let path = ProcessInfo.processInfo.environment["CZCTL_DATA"], !path.isEmpty { return (path, false) }
        let usual = FileManager.default.fileExists(atPath: ConfigurationFile.usualPath)
        let loaded = try ConfigurationFile.load(usual ? ConfigurationFile.usualPath : nil, role: .tool)
        return (loaded.settings.database.storagePath, true)
    }
}

/// The configuration as the commands read it: the file, and the environment over it.
enum ConfigurationFile {
    /// Where the manifests mount it.
    static let usualPath = "/cloudzero/config/config.yml"
    private static let byteLimit = 4 << 20

    /// - Parameter path: nil = no file.
    /// - Throws: `.notFound`; `.usage` with every fault.
    static func load(
        _ path: String?, role: Role, overrides: [(key: String, value: String)] = [], strict: Bool = false
    ) throws -> Loaded {
        let yaml = try path.map(read)
        let result = Settings.load(
            yaml: yaml, fileName: path ?? "", environment: ProcessInfo.processInfo.environment, overrides: overrides,
            role: role, strict: strict)
        switch result {
        case .success(let loaded): return loaded
        case .failure(let faults):
            throw CommandFailure(
                .usage, "cannot use the configuration:\n\(faults)",
                try: strict ? nil : path.map { "czctl config check --config \($0)" } ?? "czctl config print")
        }
    }

    /// Through symbolic links: Kubernetes mounts a configuration as one.
    static func read(_ path: String) throws -> [UInt8] {
        guard let real = RealPath.of(path) else {
            throw CommandFailure(
                .notFound, "cannot read the configuration \(path): \(Errno.text(errno))", try: "--config FILE")
        }
        let bytes = try PosixFileSystem().contents(of: real, limit: byteLimit + 1)
        guard bytes.count <= byteLimit else {
            throw CommandFailure(.usage, "cannot read the configuration \(path): it is longer than \(byteLimit) bytes")
        }
        return bytes
    }
}

/// A path as the user gave it, without symbolic links: the disk seam follows none.
enum RealPath {
    /// nil when nothing is there; `errno` says why.
    static func of(_ path: String) -> String? {
        // SAFETY: the path is a NUL-terminated copy during the call; the result is ours to free once copied.
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }
}
