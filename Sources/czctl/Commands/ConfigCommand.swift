internal import ArgumentParser
internal import Configuration
internal import DiskIO

/// `czctl config`.
struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check, print, explain or migrate a configuration",
        discussion: """
            Examples:
              czctl config check --config config.yml
              czctl config explain destination.kind
            """,
        subcommands: [ConfigCheck.self, ConfigPrint.self, ConfigExplain.self, ConfigMigrate.self, ConfigSchema.self])
}

/// `czctl config check`.
struct ConfigCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check a configuration strictly: an unknown key is an error",
        discussion: """
            The environment counts, as it does for the service. Where its volume is on this machine, a key that cannot \
            be read and a volume that is smaller than it says are warnings. Exit codes: 0 good, 2 with every fault, 4 \
            no such file.

            Examples:
              czctl config check --config config.yml
              czctl config check --config config.yml --role shipper
            """)

    @Option(name: [.long, .customLong("config", withSingleDash: true)], help: "The file.")
    var config: String

    @Option(name: .customLong("set"), help: "One setting, as KEY=VALUE, over file and environment; repeatable.")
    var overrides: [String] = []

    @Option(help: "Which service it is for: run, collector or shipper.")
    var role = ServiceRole.run

    @OptionGroup var voice: VoiceOptions

    func run() throws {
        let loaded = try ConfigurationFile.load(
            config, role: role.configurationRole, overrides: ServiceOptions.pairs(overrides), strict: true)
        let warnings = loaded.warnings + ConfigurationPlace.warnings(loaded.settings, role)
        for warning in warnings { printError("warning: \(warning)") }
        print("\(config): good")
    }
}

/// `czctl config print`.
struct ConfigPrint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "print", abstract: "Print every setting as it holds, and where it comes from",
        discussion: """
            An origin is flag, file:LINE, env NAME or default. Passwords are not shown.

            Examples:
              czctl config print --config config.yml
              SEND_INTERVAL=1m czctl config print -o json
            """)

    @Option(
        name: [.long, .customLong("config", withSingleDash: true)],
        help: "The file; none: the one at its usual place, or the environment alone.")
    var config: String?

    @Option(name: .customLong("set"), help: "One setting, as KEY=VALUE, over file and environment; repeatable.")
    var overrides: [String] = []

    @OptionGroup var options: OutputOptions

    private struct Answer: Encodable {
        struct Setting: Encodable {
            let key: String
            let value: String
            let origin: String
        }

        let schema = "czctl.config/v1"
        let settings: [Setting]
        let warnings: [String]
    }

    func run() throws {
        let loaded = try ConfigurationFile.load(
            config ?? ConfigurationFile.usual, role: .tool, overrides: ServiceOptions.pairs(overrides))
        let rows = loaded.describe()
        for warning in loaded.warnings { printError("warning: \(warning)") }
        switch options.output {
        case .table:
            var table = TextTable(("KEY", .left), ("VALUE", .left), ("ORIGIN", .left))
            for row in rows { table.add([row.key, HumanText.line(row.value), row.origin]) }
            print(table.text(options.style))
        case .json:
            let settings = rows.map { Answer.Setting(key: $0.key, value: $0.value, origin: $0.origin) }
            print(try options.encoded(Answer(settings: settings, warnings: loaded.warnings)))
        }
    }
}

/// What a configuration says of the machine it is checked on.
enum ConfigurationPlace {
    private static let keyByteLimit = 64 << 10

    static func warnings(_ settings: Settings, _ role: ServiceRole) -> [String] {
        var found: [String] = []
        let interval = min(settings.database.costInterval, settings.database.observabilityInterval)
        if role.ships, settings.cloudzero.sendInterval > interval {
            found.append(
                "cloudzero.send_interval is longer than the interval at which files are made: they wait for it")
        }
        // Where the volume is not, nor is what belongs to it: the file is for another machine.
        guard let root = RealPath.of(settings.database.storagePath) else { return found }
        let fileSystem = PosixFileSystem()
        if role.ships, settings.destinations.contains(where: { $0.kind == .cloudzero }),
            let path = settings.cloudzero.apiKeyPath
        {
            do {
                let key = try fileSystem.contents(of: RealPath.of(path) ?? path, limit: keyByteLimit)
                if key.allSatisfy({ $0 <= 0x20 }) { found.append("cloudzero.api_key_path: \(path) is empty") }
            } catch {
                found.append("cloudzero.api_key_path: \(error)")
            }
        }
        // A volume that cannot be asked is doctor's: what it has is not said here.
        if let cap = settings.database.availableStorageBytes, let space = try? fileSystem.space(root),
            UInt64(cap) > space.total
        {
            found.append(
                "database.available_storage: \(HumanText.bytes(UInt64(cap))), and the volume has"
                    + " \(HumanText.bytes(space.total)): the volume is full first")
        }
        return found
    }
}
