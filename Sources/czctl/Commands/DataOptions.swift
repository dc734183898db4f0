internal import ArgumentParser
internal import Configuration
internal import DiskIO
internal import Glibc

/// Which volume a command means, the same for all of them: `--data`, else the configuration's, else `CZCTL_DATA`, else
/// that of the configuration at its usual place, else the default.
struct DataOptions: ParsableArguments {
    @Option(help: "The storage path of the volume.", completion: .directory)
    var data: String?

    @Option(
        name: [.long, .customLong("config", withSingleDash: true)],
        help: "A configuration file, whose database.storage_path is meant.", completion: .file())
    var config: String?

    /// What was chosen.
    struct Choice {
        let path: String
        /// The configuration that is known to be the volume's.
        let file: String?
        /// Whether anybody said so.
        let isGiven: Bool
    }

    typealias Overrides = [(key: String, value: String)]

    /// The volume, which must exist. One that was guessed is named on standard error.
    /// - Throws: `.notFound` when there is no such directory; `.usage` for a configuration that cannot be used.
    func layout(_ overrides: Overrides = []) throws -> VolumeLayout {
        let choice = try choice(overrides)
        if !choice.isGiven {
            printNote("czctl: using \(choice.path) (\(choice.file ?? "no --data, --config or CZCTL_DATA"))")
        }
        guard let real = RealPath.of(choice.path), try PosixFileSystem().status(real)?.isDirectory == true else {
            let isWhole = choice.path.hasPrefix("/")
            let place = isWhole ? choice.path : "\(choice.path) in \(RealPath.of(".") ?? "a directory that is gone")"
            throw CommandFailure(
                .notFound, "cannot read the volume \(place): there is no such directory",
                try: "czctl \(CzCtl.command) --data DIR, or --config FILE")
        }
        let layout = VolumeLayout(root: real)
        try layout.refuseStrangers()
        return layout
    }

    /// The settings of the volume's configuration, as far as one is known.
    func settings() throws -> Settings {
        let choice = try choice()
        let overrides = choice.isGiven && config == nil ? [(key: Self.pathKey, value: choice.path)] : []
        return try ConfigurationFile.load(choice.file, role: .tool, overrides: overrides).settings
    }

    /// The same; nil where no configuration is: then nobody knows the volume's destinations, and defaults are not they.
    func knownSettings() throws -> Settings? { try choice().file == nil ? nil : try settings() }

    static let pathKey = "database.storage_path"

    /// - Parameter overrides: of `--set`, where the command has it.
    func choice(_ overrides: Overrides = []) throws -> Choice {
        let given = data ?? overrides.last { $0.key == Self.pathKey }?.value
        if let path = given ?? (config == nil ? Self.environmentPath : nil) {
            return Choice(path: path, file: config ?? Self.usualFile(of: path), isGiven: true)
        }
        let file = config ?? ConfigurationFile.usual
        let path = try ConfigurationFile.load(file, role: .tool, overrides: overrides).settings.database.storagePath
        return Choice(path: path, file: file, isGiven: config != nil)
    }

    private static var environmentPath: String? {
        ProcessEnvironment.variables["CZCTL_DATA"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The configuration at its usual place, if it is of this volume: another's destinations are not to get its files.
    private static func usualFile(of path: String) -> String? {
        // One that cannot be used is nobody's; whoever needs it names it, and hears why.
        guard let usual = ConfigurationFile.usual, let real = RealPath.of(path),
            let loaded = try? ConfigurationFile.load(usual, role: .tool),
            RealPath.of(loaded.settings.database.storagePath) == real
        else { return nil }
        return usual
    }
}

/// The volume that a command works on, and the settings to do it with.
struct VolumeOptions: ParsableArguments {
    @OptionGroup var target: DataOptions

    @Option(name: .customLong("set"), help: "One setting, as KEY=VALUE, over file and environment; repeatable.")
    var overrides: [String] = []

    func layout() throws -> VolumeLayout { try target.layout(ServiceOptions.pairs(overrides)) }

    /// The settings to work without a running service.
    /// - Throws: `.usage` with every fault, or with what is missing where no configuration is known.
    func load(_ role: Role) throws -> Settings {
        let loaded = try read(role)
        for warning in loaded.warnings { printError(warning) }
        return loaded.settings
    }

    /// The settings and what to say about them.
    func read(_ role: Role) throws -> Loaded {
        let (choice, pairs) = try resolved()
        do {
            let loaded = try ConfigurationFile.load(choice.file, role: role, overrides: pairs)
            // A volume that is only named may be of any service; one that --set describes is the caller's.
            let isNamed = choice.isGiven && !overrides.contains { $0.hasPrefix("\(DataOptions.pathKey)=") }
            let ships = role == .run || role == .shipper
            guard choice.file == nil, isNamed, ships, loaded.destinationIsDefault else { return loaded }
            throw CommandFailure(.usage, "destination.kind: required here, since nothing says where the files go")
        } catch let failure as CommandFailure where choice.file == nil && failure.status == .usage {
            let faults = failure.message.split(separator: "\n").filter { $0 != "cannot use the configuration:" }
            throw CommandFailure(
                .usage,
                "cannot work on \(choice.path): no service of it runs to be asked, and no configuration is known:\n"
                    + faults.joined(separator: "\n"),
                try: "czctl \(CzCtl.command) --config FILE")
        }
    }

    /// As the service's own options, for doctor.
    func serviceOptions() throws -> ServiceOptions {
        let (choice, pairs) = try resolved()
        var options = ServiceOptions()
        options.config = choice.file
        options.overrides = pairs.map { "\($0.key)=\($0.value)" }
        return options
    }

    private func resolved() throws -> (DataOptions.Choice, DataOptions.Overrides) {
        let pairs = try ServiceOptions.pairs(overrides)
        let choice = try target.choice(pairs)
        guard choice.isGiven, target.config == nil || target.data != nil else { return (choice, pairs) }
        return (choice, pairs + [(key: DataOptions.pathKey, value: choice.path)])
    }
}

/// The configuration as the commands read it: the file, and the environment over it.
enum ConfigurationFile {
    /// Where the manifests mount it.
    static let usualPath = "/cloudzero/config/config.yml"
    private static let byteLimit = 4 << 20

    /// That file, where there is one.
    static var usual: String? { HostFile.exists(usualPath) ? usualPath : nil }

    /// - Parameter path: nil = no file.
    /// - Throws: `.notFound`; `.usage` with every fault.
    static func load(
        _ path: String?, role: Role, overrides: [(key: String, value: String)] = [], strict: Bool = false
    ) throws -> Loaded {
        let yaml = try path.map(read)
        let result = Settings.load(
            yaml: yaml, fileName: path ?? "", environment: ProcessEnvironment.variables, overrides: overrides,
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
