internal import ArgumentParser
internal import Configuration
internal import FoundationEssentials

/// `czctl config`.
struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check, show and explain a configuration",
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
            The environment counts, as it does for the service. Exit codes: 0 good, 2 with every fault, 4 no such file.

            Examples:
              czctl config check --config config.yml
              czctl config check --config config.yml --role shipper
            """)

    @Option(name: [.long, .customLong("config", withSingleDash: true)], help: "The file.")
    var config: String

    @Option(help: "Which service it is for: run, collector or shipper.")
    var role = ServiceRole.run

    func run() throws {
        let loaded = try ConfigurationFile.load(config, role: role.configurationRole, strict: true)
        for warning in loaded.warnings { printError("warning: \(warning)") }
        print("\(config): good")
    }
}

/// `czctl config print`.
struct ConfigPrint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "print", abstract: "Print every setting as it holds, and where it comes from",
        discussion: """
            An origin is file:LINE, env NAME or default. Passwords are not shown.

            Examples:
              czctl config print --config config.yml
              SEND_INTERVAL=1m czctl config print -o json
            """)

    @Option(name: [.long, .customLong("config", withSingleDash: true)], help: "The file; none: the environment alone.")
    var config: String?

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
        let loaded = try ConfigurationFile.load(config, role: .tool)
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
