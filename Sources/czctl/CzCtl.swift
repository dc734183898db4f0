internal import ArgumentParser
internal import CLinux
internal import DiskIO
internal import Glibc

/// The one program: services, and the operator's commands.
@main
struct CzCtl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "czctl",
        abstract: "Cirrus: Prometheus remote_write, durable before the answer, shipped as Parquet exactly once",
        discussion: """
            Examples:
              czctl demo
              czctl run --config config.yml
              czctl status --data /cloudzero/data
            """,
        version: "\(Version.number) (build \(Version.build))",
        subcommands: [
            Run.self, Collector.self, Shipper.self, Demo.self, Drain.self, Status.self, DoctorCommand.self,
            ReloadCommand.self,
            Files.self, Segments.self, Cat.self, Tail.self, Top.self, Query.self, Verify.self, Trace.self, Retry.self,
            Abandon.self, ShipNow.self, Flush.self, Import.self, Purge.self, Repair.self, Replay.self,
            SupportBundle.self, Inspect.self, Send.self, Mock.self, Config.self, Completions.self, VersionCommand.self,
            ExitCodesTopic.self, StatesTopic.self, WALFormatTopic.self, ConfigurationTopic.self,
        ])

    @OptionGroup var voice: VoiceOptions

    /// Not async: what Swift makes of that gives the main thread up by unwinding its stack, and the image's program has
    /// no tables for it.
    nonisolated static func main() {
        Signals.ignoreBrokenPipes()
        Task { @concurrent in
            do {
                var command = try parseAsRoot(arguments(Array(words.dropFirst())))
                if var command = command as? any AsyncParsableCommand {
                    try await command.run()
                } else {
                    try command.run()
                }
            } catch {
                end(with: error)
            }
            leave(0)
        }
        while true { pause() }
    }

    /// The command line. Swift's own reads it from /proc, and finds nothing in an empty chroot or beneath a library
    /// that was loaded before it: then every command would print the help, and exit 0.
    static let words: [String] = {
        var words: [String] = []
        // SAFETY: the words are as the kernel gave them, each ends with a zero, and none is ever freed.
        while let word = unsafe clinux_argument(Int32(words.count)) { words.append(unsafe String(cString: word)) }
        return words
    }()

    /// The command that was called, as it is called again: `files list`.
    static let command: String = {
        let given = words.dropFirst().filter { !$0.hasPrefix("-") }
        guard let first = given.first else { return "status" }
        let below = [
            "files": ["list", "describe"], "segments": ["list", "describe"], "inspect": ["parquet", "wal"],
            "config": ["check", "print", "explain", "migrate", "schema"],
        ]
        // Without one of them the first is meant.
        guard let names = below[first] else { return first }
        return "\(first) \(given.dropFirst().first.flatMap { names.contains($0) ? $0 : nil } ?? names[0])"
    }()

    /// `czctl --config FILE` without a subcommand is `run`: the original starts as `app -config FILE`.
    private static func arguments(_ given: [String]) -> [String] {
        let isConfig = { (text: String) in
            text == "-config" || text == "--config" || text.hasPrefix("-config=") || text.hasPrefix("--config=")
        }
        return given.first.map(isConfig) == true ? ["run"] + given : given
    }

    /// Ends at once: at an exit libraries give up what their threads, which still run, go on using. libcrypto's locks
    /// made one `verify --remote` of 600 crash.
    private static func leave(_ status: Int32) -> Never {
        TemporaryDirectory.removeAll()
        let code = fflush(nil) == 0 ? 0 : errno
        // Also what an earlier flush could not write.
        if code != 0 || clinux_output_failed() != 0, !Console.isReaderGone {
            printError("czctl: cannot write to standard output: \(code == 0 ? "it is incomplete" : Errno.text(code))")
            _exit(max(status, ExitStatus.error.rawValue))
        }
        _exit(status)
    }

    /// Help and version on stdout with 0, a wrong command line on stderr with 2, anything else as it says, or with 1.
    private static func end(with error: any Error) -> Never {
        if let failure = error as? CommandFailure {
            printError("czctl: \(failure)")
            printCauses(of: failure)
            if let advice = failure.advice { printNote("Try: \(Advice.here(advice, words: words))") }
            leave(failure.status.rawValue)
        }
        if let code = error as? ExitCode { leave(code.rawValue) }
        switch exitCode(for: error) {
        case .success:
            print(fullMessage(for: error))
            leave(0)
        case .validationFailure:
            if let failure = ForeignOption.failure(words, command: command) { end(with: failure) }
            printError(fullMessage(for: error))
            leave(ExitStatus.usage.rawValue)
        default:
            printError("czctl: \(error)")
            printCauses(of: error)
            leave(ExitStatus.error.rawValue)
        }
    }

    private static func printCauses(of error: any Error) {
        guard Voice.isVerbose else { return }
        for line in CauseChain(of: error).lines { printError("  because: \(line)") }
    }
}
