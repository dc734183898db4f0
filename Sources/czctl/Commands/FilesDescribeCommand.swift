internal import ArgumentParser
internal import DiskIO
internal import Ship

/// `czctl files describe`.
struct FilesDescribe: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "describe", abstract: "Everything about a file: origin, attempts, answers, next try",
        discussion: """
            From its footer, its plan's manifest (remembered for dedup.window) and the ledger, also when no local copy \
            is left. Exit codes: 0 found, 4 not found.

            Examples:
              czctl files describe metrics_1751400000000_1751400600000_0123456789abcdef0123456789abcdef.parquet
              czctl files list --state failed -o name | head -1 | xargs czctl files describe -o json
            """)

    @Argument(help: "Ids of files, as files list shows them.", completion: FileIDs.completion)
    var ids: [String]

    @OptionGroup var target: DataOptions
    @OptionGroup var options: OutputOptions

    func run() async throws {
        let layout = try target.layout()
        do {
            for (index, id) in ids.enumerated() {
                guard let story = try await FileStory.read(id, layout, PosixFileSystem()) else {
                    throw CommandFailure(
                        .notFound, "cannot describe \(HumanText.line(id, limit: 200)): not found",
                        try: "czctl files list -o name")
                }
                switch options.output {
                case .table: print((index > 0 ? "\n" : "") + story.text)
                case .json: print(try options.encoded(story, isOneOfMany: ids.count > 1))
                }
            }
        } catch let error as ShipError {
            throw CommandFailure(error)
        }
    }
}
