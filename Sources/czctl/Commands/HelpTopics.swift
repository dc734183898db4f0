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

    @OptionGroup var voice: VoiceOptions
}

struct StatesTopic: HelpTopic {
    static let configuration = CommandConfiguration(
        commandName: "states", abstract: "States of a segment and of a file",
        discussion: """
            Of a segment (czctl segments list):
            active       the newest: written now, or at the next start no more
            sealed       not written any more; its rows are still to become files
            committed    its rows are in files; it is being removed
            kept         its samples are in files; a histogram, exemplar or metadata is not

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

    @OptionGroup var voice: VoiceOptions
}

struct WALFormatTopic: HelpTopic {
    static let configuration = CommandConfiguration(
        commandName: "wal-format", abstract: "What the log is on disk",
        discussion: """
            wal/ holds segments, <id>.wal, of which only the newest is written. All numbers are little endian.

            <id>.wal                  a segment: a header of 4096 bytes, then records
            <id>.kept                 one kept for a histogram, exemplar or metadata that is in no file
            <first>-<last>.commit     a manifest: the rows of these segments are in files, being published
            <first>-<last>.done       the same, finished; its requests are known until dedup.window is over
            prep-<id>.tmp             a segment being prepared: nothing in it was acknowledged

            A record is 40 bytes of header, a payload, and zeros to the next multiple of 8: a batch (one request), a \
            witness, padding or a seal. Header and payload have a CRC-32C each, keyed with the segment's salt, its \
            number and the record's offset. What one fdatasync made durable begins at a multiple of 4096. A segment \
            ends where its successor's header says; recovery copies what is damaged to quarantine/ and truncates \
            nothing. docs/formats/wal.md has every byte.

            Examples:
              czctl inspect wal wal/00000000000000000001.wal
              czctl segments list
            """, shouldDisplay: false)

    @OptionGroup var voice: VoiceOptions
}

struct ConfigurationTopic: HelpTopic {
    static let configuration = CommandConfiguration(
        commandName: "configuration", abstract: "Where settings come from",
        discussion: """
            A flag (--set KEY=VALUE) goes before the environment, that before the file, that before the default. The \
            file is YAML, given by --config or -config; keys and variables are the CloudZero agent's, with ours \
            beside them. Durations are 250ms, 10m, 1h30m; sizes 20Gi, 500M, 1e9.

            czctl config check      every fault at once; an unknown key is one
            czctl config print      every setting as it holds, and where it comes from
            czctl config explain    what a key means, its default and its range
            czctl config migrate    a file of the agent, with comments where something differs
            czctl config schema     a JSON Schema for editors

            czctl reload, or SIGHUP, reads the file again, all or nothing. docs/configuration.md has every key.

            Examples:
              czctl config explain database.storage_path
              SEND_INTERVAL=1m czctl config print --config config.yml
            """, shouldDisplay: false)

    @OptionGroup var voice: VoiceOptions
}
