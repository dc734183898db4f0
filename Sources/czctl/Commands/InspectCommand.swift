internal import ArgumentParser

/// `czctl inspect`.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read a log segment or a Parquet file without other tools",
        discussion: """
            Examples:
              czctl inspect wal demo-data/wal/00000000000000000001.wal
              czctl inspect FILE.parquet --schema --meta
            """,
        subcommands: [InspectWAL.self, InspectParquet.self], defaultSubcommand: InspectParquet.self)
}
