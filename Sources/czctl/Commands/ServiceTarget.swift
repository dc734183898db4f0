internal import ArgumentParser
internal import DiskIO

/// Whom `status`, `top` and `reload` ask: the first that is given of `--url`, `--data` and `--config`, `CZCTL_URL`,
/// `CZCTL_DATA`; else the volume of the configuration at its usual place or the default; and where there is no such
/// volume, a service on this machine.
struct TargetOptions: ParsableArguments {
    @OptionGroup var volume: DataOptions

    @Option(help: "The service to ask over its port, as http://host:8080, with no volume at hand.")
    var url: String?

    @OptionGroup var access: WriteAccessOptions

    func validate() throws {
        guard url == nil || (volume.data == nil && volume.config == nil) else {
            throw ValidationError("--url asks a port, --data and --config a volume: they exclude each other")
        }
    }

    /// - Throws: as `DataOptions.layout`, and `.usage` for a URL that is none, and for credentials without a URL.
    func target() async throws -> ServiceTarget {
        if let url { return .port(try ServicePort(url, access)) }
        if volume.data == nil, volume.config == nil, let url = Self.environmentURL {
            return .port(try ServicePort(url, access))
        }
        // A guess is no one to give a secret to, and a volume asks for none.
        guard access.bearerFile == nil, access.basicFile == nil else {
            throw CommandFailure(
                .usage, "cannot use --bearer-file or --basic-file: nothing says which URL they are for",
                try: "czctl \(CzCtl.command) --url http://HOST:PORT, or CZCTL_URL")
        }
        let choice = try volume.choice()
        if !choice.isGiven, RealPath.of(choice.path) == nil {
            let port = try ServicePort(ServicePort.usual, access)
            // What is wrong with it is told when it is asked.
            if await port.isThere() {
                printNote("czctl: using \(port.url) (no --url, --data or --config, and no \(choice.path) here)")
                return .port(port)
            }
        }
        return .volume(try volume.layout())
    }

    private static var environmentURL: String? {
        ProcessEnvironment.variables["CZCTL_URL"].flatMap { $0.isEmpty ? nil : $0 }
    }
}

enum ServiceTarget: Sendable {
    case volume(VolumeLayout)
    case port(ServicePort)

    /// What is known of it now.
    func status() async throws -> StatusText {
        switch self {
        case .volume(let layout):
            StatusText(
                try await StatusInputs.gather(
                    layout: layout, fileSystem: PosixFileSystem(), clocks: .system,
                    live: await LiveServices.ask(layout)))
        case .port(let port): StatusText(try await port.status())
        }
    }
}

/// A flag that other commands have: why this one has not, in the place of "unknown option".
enum ForeignOption {
    private static let services: Set = ["run", "collector", "shipper"]
    private static let withURL: Set = ["status", "top", "reload", "send"]
    private static let withoutVolume: Set = ["send", "config", "completions", "inspect", "version"]

    /// nil where the command line has no such flag, or the command has it.
    /// - Parameters:
    ///   - words: of a command line that the parser refused, for this reason or for another.
    ///   - command: as `CzCtl.command`.
    static func failure(_ words: [String], command: String) -> CommandFailure? {
        let verb = String(command.prefix { $0 != " " })
        func has(_ name: String) -> Bool { words.contains { $0 == name || $0.hasPrefix("\(name)=") } }
        if has("--url"), !withURL.contains(verb) {
            let (reason, advice) = url(verb, command)
            return CommandFailure(.usage, "cannot take --url for \(command): \(reason)", try: advice)
        }
        if has("--data"), withoutVolume.contains(verb) || services.contains(verb) {
            let (reason, advice) = data(verb, command)
            return CommandFailure(.usage, "cannot take --data for \(command): \(reason)", try: advice)
        }
        return nil
    }

    private static func url(_ verb: String, _ command: String) -> (reason: String, advice: String) {
        switch verb {
        case "flush", "ship", "drain", "retry", "abandon", "purge", "repair", "import":
            (
                "no port changes what a volume holds; it is asked where the volume is",
                "czctl \(command) --data DIR, or kubectl exec POD -c collector -- /cloudzero/czctl \(command)"
            )
        case "replay": ("where it sends to is --to-url", "czctl replay --to-url URL")
        case "demo", "mock": ("it makes a service of its own, at --port", "czctl \(command) --port PORT")
        case "doctor": ("it looks at the machine it runs on", "czctl status --url URL")
        case _ where services.contains(verb): ("where it listens is server.port", "czctl status --url URL")
        case _ where withoutVolume.contains(verb): ("it asks no service", "czctl status --url URL")
        default: ("it reads the files of a volume, which no port gives out", "czctl \(command) --data DIR")
        }
    }

    private static func data(_ verb: String, _ command: String) -> (reason: String, advice: String) {
        switch verb {
        case "send": ("it sends to a port and needs no volume", "czctl send --url URL")
        case _ where services.contains(verb):
            (
                "its volume is the configuration's",
                "czctl \(command) --config FILE, or --set database.storage_path=DIR"
            )
        default: ("it works on no volume", "czctl \(command) --help")
        }
    }
}
