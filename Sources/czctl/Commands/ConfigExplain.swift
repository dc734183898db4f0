internal import ArgumentParser
internal import Configuration

/// `czctl config explain`.
struct ConfigExplain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Say what a setting means, what it may be, and what it is now",
        discussion: """
            A section (`limits`) explains all it holds. Exit codes: 0 found, 4 no such setting.

            Examples:
              czctl config explain wal.segment_bytes
              czctl config explain limits --config config.yml
            """)

    @Argument(help: "A setting's path, or a section's.")
    var key: String

    @Option(name: [.long, .customLong("config", withSingleDash: true)], help: "The file; none: the environment alone.")
    var config: String?

    @OptionGroup var voice: VoiceOptions

    func run() throws {
        let found = Key.all.filter { $0.path == key || $0.path.hasPrefix(key + ".") }
        guard !found.isEmpty else {
            throw CommandFailure(
                .notFound, "cannot explain \(key): no such setting",
                try: Key.nearest(to: key).map { "czctl config explain \($0)" } ?? "czctl config print")
        }
        let rows = try ConfigurationFile.load(config, role: .tool).describe()
        for (index, key) in found.enumerated() {
            if index > 0 { print("") }
            print("\(key.path)\n  \(key.meaning)")
            print("  value        \(key.type.summary)")
            if !key.defaultText.isEmpty { print("  default      \(key.defaultText.filter { $0 != "`" })") }
            if !key.environmentNames.isEmpty {
                print("  environment  \(key.environmentNames.joined(separator: ", "))")
            }
            print("  change       takes effect on a \(key.change)")
            for row in rows where row.key == key.path || row.key.hasSuffix("]." + key.lastPart) {
                print("  now          \(row.value.isEmpty ? "not set" : HumanText.line(row.value))  (\(row.origin))")
            }
        }
    }
}

extension Key {
    /// `kind` of `destination.kind`.
    fileprivate var lastPart: String { String(path.split(separator: ".").last ?? "") }
}
