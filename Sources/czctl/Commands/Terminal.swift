internal import Glibc

/// The terminal that a person looks at, if anybody does.
enum Terminal {
    /// Whether what is written to `descriptor` appears on a terminal that knows colours and moves its cursor.
    static func isSeen(_ descriptor: Int32) -> Bool {
        isatty(descriptor) == 1 && !["", "dumb"].contains(variable("TERM") ?? "")
    }

    /// How much fits in a line: by COLUMNS, or as the terminal says; nil where none is seen.
    static func columns(_ descriptor: Int32) -> Int? {
        guard isatty(descriptor) == 1 else { return nil }
        return variable("COLUMNS").flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil } ?? size(descriptor)?.columns
    }

    /// nil when nobody knows.
    static func size(_ descriptor: Int32) -> (rows: Int, columns: Int)? {
        var size = winsize()
        // SAFETY: the call fills the struct it is given.
        guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0, size.ws_col > 0 else {
            return nil
        }
        return (Int(size.ws_row), Int(size.ws_col))
    }

    /// Of the environment.
    static func variable(_ name: String) -> String? {
        // SAFETY: the name is a NUL-terminated copy during the call; this program changes no variable, so that what is
        // found stays where it is while it is copied.
        guard let found = unsafe getenv(name) else { return nil }
        return unsafe String(cString: found)
    }
}

/// Words of state in colour; each stands there in black and white too.
struct Paint: Sendable {
    /// `--color`.
    enum Choice: String, CaseIterable, Sendable { case auto, always, never }

    /// Numbers of the terminal's.
    private enum Tone: Int {
        case red = 31
        case green = 32
        case yellow = 33
    }

    private static let tones: [String: Tone] = [
        "ok": .green, "fixed": .green, "uploaded": .green,
        "warn": .yellow, "abandoned": .yellow, "torn": .yellow,
        "FAIL": .red, "DEGRADED": .red, "failed": .red, "quarantined": .red, "damaged": .red, "poisoned": .red,
        "missing": .red,
    ]

    let isOn: Bool

    init(_ choice: Choice) {
        isOn =
            switch choice {
            case .always: true
            case .never: false
            case .auto: (Terminal.variable("NO_COLOR") ?? "").isEmpty && Terminal.isSeen(STDOUT_FILENO)
            }
    }

    /// Words that are no state are left as they are.
    func word(_ word: String) -> String {
        guard isOn, let tone = Self.tones[word] else { return word }
        return "\u{1B}[\(tone.rawValue)m\(word)\u{1B}[0m"
    }

    /// The line with its first word painted.
    func first(_ line: String) -> String {
        let end = line.firstIndex(of: " ") ?? line.endIndex
        return word(String(line[..<end])) + line[end...]
    }

    /// The line with its last word painted.
    func last(_ line: String) -> String {
        let start = line.lastIndex(of: " ").map { line.index(after: $0) } ?? line.startIndex
        return line[..<start] + word(String(line[start...]))
    }
}
