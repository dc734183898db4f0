internal import ArgumentParser

/// `-v` and `--quiet`, which every command takes.
struct VoiceOptions: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Below an error, what it rests on, a line for each cause.")
    var verbose = false

    @Flag(help: "No progress and no advice on standard error: errors and results alone.")
    var quiet = false
}

/// How much is said on standard error besides results and errors.
enum Voice {
    static let isQuiet = given.contains("--quiet")
    static let isVerbose = given.contains { $0 == "--verbose" || isShort($0) }

    /// The words that may be options. By them, and not as the parser has them: it gives a command's values to that
    /// command alone, and what it cannot parse has none. Neither is a flag with a value, so that each is what it is.
    private static var given: ArraySlice<String> { CzCtl.words.dropFirst().prefix { $0 != "--" } }

    /// `-v`, also among others: `tail -fv`. `-config` is no such word.
    private static func isShort(_ word: String) -> Bool {
        word.first == "-" && word.contains("v") && word.dropFirst().allSatisfy { "fov".contains($0) }
    }
}

/// A line on standard error that is neither a result nor an error: which volume was guessed, how far work is.
func printNote(_ text: String) {
    if !Voice.isQuiet { printError(text) }
}
