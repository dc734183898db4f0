internal import ArgumentParser

/// `czctl help exit-codes`: what is no command of its own. Each is a command, so that the parser's help finds it.
protocol HelpTopic: ParsableCommand {}

extension HelpTopic {
    func run() throws { throw CleanExit.helpRequest(Self.self) }
}

struct ExitCodesTopic: HelpTopic {
    static let configuration = CommandConfiguration(
        commandName: "exit-codes", abstract: "Exit codes of every command",
        discussion: """
              0  done, healthy
              1  error
              2  wrong command line or configuration
              3  unhealthy, or findings
              4  no such file, segment, volume or setting
              5  not now: try again later
              6  refused: key, token or permission
              7  damaged bytes were found
              8  only a part was done
            130  interrupted

            Examples:
              czctl status || echo "exit code $?"
              czctl drain --config config.yml; test $? -eq 8 && czctl files list
            """, shouldDisplay: false)
}

struct StatesTopic: HelpTopic {
    static let configuration = CommandConfiguration(
        commandName: "states", abstract: "States of a segment and of a file",
        discussion: """
            Of a segment (czctl segments list):
            active       the newest: written now, or at the next start no more
            sealed       not written any more; its rows are still to become files
            committed    its rows are in files; it is being removed
            kept         kept aside for its histograms, exemplars and metadata

            Of a file (czctl files list):
            ready        in outbox/, not yet tried, or with a URL
            uploading    on its way
            failed       tried without success; tried again after its back-off
            uploaded     every destination has it; kept until retention
            abandoned    given up: czctl retry puts it back
            quarantined  damaged, kept in quarantine/
            purged       uploaded, and no local copy is left

            Examples:
              czctl files list --state failed
              czctl retry --state abandoned
            """, shouldDisplay: false)
}
