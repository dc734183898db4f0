internal import ArgumentParser
internal import Glibc

/// `--yes`, or a question on a terminal. Elsewhere nobody is asked: the flag must be there.
struct ConfirmationOptions: ParsableArguments {
    @Flag(help: "Do not ask.")
    var yes = false

    /// - Throws: `.usage` when nobody can be asked, `.interrupted` when the answer is no.
    func require(_ question: String) throws {
        if yes { return }
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else {
            throw CommandFailure(.usage, "\(question)? There is no terminal to ask at", try: "the same with --yes")
        }
        printError("\(question)? [y/N]")
        guard let answer = readLine(), ["y", "yes"].contains(answer.lowercased()) else {
            throw CommandFailure(.interrupted, "nothing was changed")
        }
    }
}
