internal import DiskIO
internal import Glibc
internal import Metrics
internal import Synchronization

/// How far long work is, on standard error: a bar that redraws itself on a terminal, a line every ten seconds
/// elsewhere. Work that ends sooner says nothing there.
final class Progress: Sendable {
    private static let barWidth = 28

    private struct State {
        var done = 0
        var shownAt: Duration
        var hasShown = false
    }

    private let what: String
    private let total: Int?
    private let isBytes: Bool
    private let isTerminal: Bool
    /// `--quiet`.
    private let isSilent: Bool
    private let clocks: Clocks
    private let startedAt: Duration
    private let state: Mutex<State>

    /// - Parameters:
    ///   - what: `samples sent`; of bytes `verified`.
    ///   - total: nil where nobody knows: then there is no bar.
    init(_ what: String, total: Int? = nil, isBytes: Bool = false, clocks: Clocks = .system) {
        (self.what, self.total, self.isBytes, self.clocks) = (what, total, isBytes, clocks)
        isTerminal = Terminal.isSeen(STDERR_FILENO)
        isSilent = Voice.isQuiet
        startedAt = clocks.uptime()
        state = Mutex(State(shownAt: startedAt))
    }

    func set(_ done: Int) { show { $0.done = done } }

    func add(_ more: Int) { show { $0.done += more } }

    /// Takes the bar away.
    func end() {
        guard isTerminal, state.withLock({ $0.hasShown }) else { return }
        Self.write("\r\u{1B}[K")
    }

    private func show(_ change: (inout State) -> Void) {
        guard !isSilent else { return }
        let now = clocks.uptime()
        let done: Int? = state.withLock { state in
            change(&state)
            guard now - state.shownAt >= (isTerminal ? .milliseconds(100) : .seconds(10)) else { return nil }
            (state.shownAt, state.hasShown) = (now, true)
            return state.done
        }
        guard let done else { return }
        let text = text(done, after: now - startedAt)
        // A line that wraps cannot be drawn over.
        let columns = max(2, Terminal.columns(STDERR_FILENO) ?? 80)
        Self.write(isTerminal ? "\r\(text.prefix(columns - 1))\u{1B}[K" : "czctl: \(text)\n")
    }

    /// `[#######.....................] 25 %  1.2 GiB of 4.9 GiB verified  212.0 MiB/s  17s left`; the bar is a
    /// terminal's.
    private func text(_ done: Int, after elapsed: Duration) -> String {
        func amount(_ number: Int) -> String { isBytes ? HumanText.bytes(number) : HumanText.grouped(number) }
        let rate = Double(done) / max(elapsed.inSeconds, 0.001)
        let speed = "\(amount(Int(min(rate, 1e15))))/s"
        guard let total, total > 0 else { return "\(amount(done)) \(what)  \(speed)" }
        let part = min(1, Double(done) / Double(total))
        let filled = Int(part * Double(Self.barWidth))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.barWidth - filled)
        let left = rate > 0 ? Int64(min(Double(max(0, total - done)) / rate, 1e9) * 1000) : 0
        return (isTerminal ? "[\(bar)] " : "")
            + "\(Int(part * 100)) %  \(amount(done)) of \(amount(total)) \(what)  \(speed)"
            + "  \(HumanText.duration(milliseconds: left)) left"
    }

    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        // SAFETY: write reads bytes.count bytes. What cannot be said to stderr has nobody to be told.
        _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
