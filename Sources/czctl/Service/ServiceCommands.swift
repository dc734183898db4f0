internal import ArgumentParser
internal import CLinux
internal import Configuration
internal import DiskIO
internal import Glibc
internal import Logging

/// `--config`, and what it holds.
struct ServiceOptions: ParsableArguments {
    @Option(
        name: [.customLong("config"), .customLong("config", withSingleDash: true)], help: "The configuration file.",
        completion: .file())
    var config: String?

    @Option(name: .customLong("set"), help: "One setting, as KEY=VALUE, over file and environment; repeatable.")
    var overrides: [String] = []

    /// The settings, or every fault at once (exit 2). Warnings go to stderr.
    func load(_ role: Role) throws -> Settings {
        let loaded = try read(role)
        for warning in loaded.warnings { printError(warning) }
        return loaded.settings
    }

    /// The settings and what to say about them, or every fault at once.
    func read(_ role: Role) throws -> Loaded {
        try ConfigurationFile.load(config, role: role, overrides: Self.pairs(overrides))
    }

    /// What `--set` gave.
    /// - Throws: `.usage`.
    static func pairs(_ overrides: [String]) throws -> [(key: String, value: String)] {
        try overrides.map { text in
            guard let equals = text.firstIndex(of: "=") else {
                throw CommandFailure(.usage, "cannot read --set \(text): it is not KEY=VALUE")
            }
            return (key: String(text[..<equals]), value: String(text[text.index(after: equals)...]))
        }
    }
}

/// What may be asked of a running service over its port.
struct LifecycleOptions: ParsableArguments {
    @Flag(help: "Serve POST /-/reload, which reads configuration, certificates and credentials again.")
    var enableLifecycle = false
}

/// Prints a line to stderr.
func printError(_ text: String) {
    var stream = StandardError()
    print(text, to: &stream)
}

private struct StandardError: TextOutputStream {
    mutating func write(_ text: String) {
        let bytes = Array(text.utf8)
        // SAFETY: write reads bytes.count bytes. What cannot be said to stderr has nobody to be told.
        _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(2, $0.baseAddress, $0.count) }
    }
}

/// What the three service commands share.
enum ServiceCommand {
    static func run(_ role: ServiceRole, _ options: ServiceOptions, _ lifecycle: LifecycleOptions) async throws {
        clinux_tune_malloc()
        // Before the file is read: whoever changes it afterwards and says so is heard.
        let hangups = await Signals.hangups()
        let stateRequests = await Signals.stateRequests()
        // Before the port is open: who sees that it is ready may stop it.
        let terminations = await Signals.terminations()
        let settings = try options.load(role.configurationRole)
        let environment = try ServiceEnvironment(settings: settings, role: role.rawValue, component: role)
        let service = try await Service.start(
            environment, role: role, listens: true, read: { try options.read(role.configurationRole) },
            servesReload: lifecycle.enableLifecycle)
        environment.logger.info(
            "listening",
            metadata: [
                "address": "\(settings.server.address)", "port": "\(service.port ?? 0)",
                "data": "\(settings.database.storagePath)",
                "version": "\(Version.number)",
            ])
        try await service.runUntilSignal(terminations, hangups: hangups, stateRequests: stateRequests)
        environment.logger.info("stopped")
    }
}

/// `czctl run`.
struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Receive, compact and ship in one process",
        discussion: """
            Ends gracefully on SIGTERM: requests in flight finish, the log is sealed, uploads end. Reads its
            configuration, certificate and credentials again on SIGHUP (czctl reload), and writes its state to the log
            on SIGUSR1.

            Examples:
              czctl run --config config.yml
              czctl run --set cluster_name=laptop --set database.storage_path=./data
            """)

    @OptionGroup var options: ServiceOptions
    @OptionGroup var lifecycle: LifecycleOptions
    @OptionGroup var voice: VoiceOptions

    func run() async throws { try await ServiceCommand.run(.run, options, lifecycle) }
}

/// `czctl collector`.
struct Collector: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Receive and compact; the shipper is another process on the same volume",
        discussion: """
            Examples:
              czctl collector --config /cloudzero/config/config.yml
              czctl collector --config config.yml --set server.port=9090
            """)

    @OptionGroup var options: ServiceOptions
    @OptionGroup var lifecycle: LifecycleOptions
    @OptionGroup var voice: VoiceOptions

    func run() async throws { try await ServiceCommand.run(.collector, options, lifecycle) }
}

/// `czctl shipper`.
struct Shipper: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ship what the collector made",
        discussion: """
            Examples:
              czctl shipper --config /cloudzero/config/config.yml
              czctl shipper --config config.yml --set cloudzero.send_interval=1m
            """)

    @OptionGroup var options: ServiceOptions
    @OptionGroup var lifecycle: LifecycleOptions
    @OptionGroup var voice: VoiceOptions

    func run() async throws { try await ServiceCommand.run(.shipper, options, lifecycle) }
}
