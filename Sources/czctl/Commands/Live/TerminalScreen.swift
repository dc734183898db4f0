internal import Glibc
internal import Synchronization

/// Whether a signal asked for the end: its handler has no other place to say it.
private let hasEnded = Atomic(false)

/// The whole terminal, taken for a while: another screen, no cursor, keys one by one. Given back at its end, whatever
/// that is.
struct TerminalScreen: ~Copyable {
    private let saved: termios

    private static let signals = [SIGINT, SIGTERM, SIGHUP]
    private static let enter = "\u{1B}[?1049h\u{1B}[?25l"
    private static let leave = "\u{1B}[?25h\u{1B}[?1049l"

    /// nil when standard input and output are no terminal.
    init?() {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else { return nil }
        // SAFETY: tcgetattr fills the struct it is given.
        var found = termios()
        guard unsafe tcgetattr(STDIN_FILENO, &found) == 0 else { return nil }
        saved = found
        hasEnded.store(false, ordering: .relaxed)
        // Until the screen is given back a signal does not end the process by itself.
        for number in Self.signals { _ = signal(number) { _ in hasEnded.store(true, ordering: .relaxed) } }
        var raw = saved
        // Ctrl-C and its like still are signals.
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO)
        // SAFETY: tcsetattr reads the struct.
        unsafe tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        Self.write(Self.enter)
    }

    deinit {
        Self.write(Self.leave)
        for number in Self.signals { _ = signal(number, SIG_DFL) }
        var saved = saved
        // SAFETY: tcsetattr reads the struct.
        unsafe tcsetattr(STDIN_FILENO, TCSANOW, &saved)
    }

    /// Ctrl-C, or another signal that ends a process.
    var isInterrupted: Bool { hasEnded.load(ordering: .relaxed) }

    /// Rows and columns, 24 and 80 when nobody knows.
    var size: (rows: Int, columns: Int) { Terminal.size(STDOUT_FILENO) ?? (24, 80) }

    /// Shows as much of `lines` as there is room for, in place of what was there.
    func show(_ lines: [String]) {
        let (rows, columns) = size
        var text = "\u{1B}[H"
        for line in lines.prefix(rows) { text += line.prefix(columns) + "\u{1B}[K\r\n" }
        // Without a line's end behind the last row the screen does not scroll.
        if lines.count >= rows { text.removeLast() }
        Self.write(text + "\u{1B}[J")
    }

    /// The key that was pressed, if any; does not wait.
    func key() -> UInt8? {
        var ready = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        // SAFETY: poll writes to the one struct it is given.
        guard unsafe poll(&ready, 1, 0) == 1 else { return nil }
        var byte: UInt8 = 0
        // SAFETY: read writes one byte.
        return unsafe read(STDIN_FILENO, &byte, 1) == 1 ? byte : nil
    }

    private static func write(_ text: String) {
        print(text, terminator: "")
        fflush(nil)
    }
}
