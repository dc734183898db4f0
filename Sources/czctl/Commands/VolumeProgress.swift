internal import DiskIO
internal import Glibc

/// How far work on a volume is that a service does: seen by looking at the volume again and again.
enum VolumeProgress {
    /// - Parameters:
    ///   - what: `rows sent`.
    ///   - left: of what is still to be done, how much the volume holds.
    static func show<Outcome>(
        _ what: String, _ layout: VolumeLayout, left: @escaping @Sendable (StatusReport) -> Int,
        while work: () async throws -> Outcome
    ) async rethrows -> Outcome {
        let watch = Task {
            var first: Int?
            var progress: Progress?
            while !Task.isCancelled {
                // What cannot be read now can at the next look.
                let inputs = try? await StatusInputs.gather(
                    layout: layout, fileSystem: PosixFileSystem(), clocks: .system, live: LiveServices.ask(layout))
                if let left = inputs.map({ left(StatusReport($0)) }) {
                    let total = first ?? left
                    first = total
                    progress = progress ?? Progress(what, total: total)
                    progress?.set(max(0, total &- left))
                }
                // A sleep that throws was cancelled.
                try? await Task.sleep(for: Terminal.isSeen(STDERR_FILENO) ? .seconds(1) : .seconds(10))
            }
            progress?.end()
        }
        let outcome: Outcome
        do {
            outcome = try await work()
        } catch {
            watch.cancel()
            await watch.value
            throw error
        }
        watch.cancel()
        await watch.value
        return outcome
    }
}
