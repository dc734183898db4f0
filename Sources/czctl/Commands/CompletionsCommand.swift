internal import ArgumentParser

/// `czctl completions`.
struct Completions: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions", abstract: "Print the completion script of a shell",
        discussion: """
            Examples:
              czctl completions bash > /etc/bash_completion.d/czctl
              czctl completions fish > ~/.config/fish/completions/czctl.fish
            """)

    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish
    }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    @OptionGroup var voice: VoiceOptions

    func run() {
        let known: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        print(CzCtl.completionScript(for: known))
    }
}
