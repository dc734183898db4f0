internal import ArgumentParser
internal import Configuration

/// `czctl config migrate`.
struct ConfigMigrate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Print a configuration of the CloudZero agent in this program's words",
        discussion: """
            The keys are the same. What no longer does anything is commented out and says so, and defaults that differ \
            from what the agent does in effect are named. The result is checked as config check would; comments of the \
            file are not kept. Exit codes: 0 the result is good, 2 the file is no YAML, 3 the result lacks something, \
            which is said, 4 no such file.

            Examples:
              czctl config migrate agent.yml > config.yml && czctl config check --config config.yml
              kubectl -n cirrus get configmap cloudzero-collector-config -o jsonpath='{.data.config\\.yml}' \\
                > agent.yml && czctl config migrate agent.yml
            """)

    @Argument(help: "The agent's file.")
    var file: String

    @OptionGroup var voice: VoiceOptions

    func run() throws {
        let migration: Migration
        do {
            migration = try Migration(yaml: try ConfigurationFile.read(file), fileName: file)
        } catch let faults as ConfigurationFaults {
            throw CommandFailure(.usage, "cannot migrate:\n\(faults)")
        }
        print(migration.text, terminator: "")
        if migration.droppedCount > 0 { printNote("czctl: \(migration.droppedCount) keys are commented out") }
        let checked = Settings.load(
            yaml: Array(migration.text.utf8), fileName: "the result", environment: [:], overrides: [], role: .run,
            strict: true)
        switch checked {
        case .success(let loaded): for warning in loaded.warnings { printError("warning: \(warning)") }
        case .failure(let faults):
            throw CommandFailure(
                .findings, "the result is not complete:\n\(faults)", try: "add what is missing, then czctl config check"
            )
        }
    }
}
