internal import ArgumentParser

/// `czctl version`.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version of this program",
        discussion: """
            Examples:
              czctl version
              czctl version -o json
            """)

    @OptionGroup var options: OutputOptions

    private struct Answer: Encodable {
        let schema = "czctl.version/v1"
        let version = Version.number
        let build = Version.build
    }

    func run() throws {
        switch options.output {
        case .table: print("czctl \(Version.number) (build \(Version.build))")
        case .json: print(try options.encoded(Answer()))
        }
    }
}
