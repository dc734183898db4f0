/// The next command, as it works when it is copied: for the volume that this command was given.
enum Advice {
    /// Commands that take a volume with `--data` and `--config`.
    private static let commands: Set<String> = [
        "status", "doctor", "files", "segments", "verify", "trace", "retry", "abandon", "ship", "flush", "drain",
        "purge", "repair", "reload", "replay", "support-bundle", "cat", "query", "tail", "top",
    ]
    private static let flags: Set<String> = ["--data", "--config", "-config"]

    /// - Parameters:
    ///   - text: begins with a command, perhaps with words after a comma.
    ///   - words: of the command line at hand.
    static func here(_ text: String, words: [String]) -> String {
        let command = text.prefix { $0 != "," && $0 != ";" && $0 != "|" }
        let parts = command.split(separator: " ")
        guard parts.count > 1, parts[0] == "czctl", commands.contains(String(parts[1])),
            let called = words.dropFirst().first(where: { !$0.hasPrefix("-") }),
            commands.contains(called) || called == "import", !parts.contains(where: { isFlag(String($0)) })
        else { return text }
        var given: [String] = []
        for (index, word) in words.enumerated() where isFlag(word) {
            given.append(quoted(word))
            if flags.contains(word), index + 1 < words.count { given.append(quoted(words[index + 1])) }
        }
        return ([String(command)] + given).joined(separator: " ") + text.dropFirst(command.count)
    }

    private static func isFlag(_ word: String) -> Bool {
        flags.contains(word) || flags.contains { word.hasPrefix("\($0)=") }
    }

    /// For a shell.
    private static func quoted(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy { byte in
            switch UInt8(byte) {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "-")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "="), UInt8(ascii: "@"):
                true
            default: false
            }
        }
        guard !isPlain else { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
