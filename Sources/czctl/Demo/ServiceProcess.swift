internal import CLinux
internal import DiskIO
internal import Glibc
internal import NIOPosix

/// A `czctl` of our own as a process that can be killed. It never outlives this one: not its value, whose end kills it,
/// and not the process, whose death does.
struct ServiceProcess: ~Copyable {
    let pid: pid_t

    /// - Parameter settings: the only ones that it has.
    /// - Throws: `.error` when no process can be made.
    static func start(
        _ command: [String], _ settings: [(key: String, value: String)]
    ) async throws -> ServiceProcess {
        let words = ["czctl"] + command + settings.flatMap { ["--set", "\($0.key)=\($0.value)"] }
        // The kernel watches the thread that made it: those of this pool live as long as the process.
        let pid = try await NIOThreadPool.singleton.runIfActive { Self.start(words) }
        guard pid > 0 else { throw CommandFailure(.error, "cannot start a process: \(Errno.text(errno))") }
        return ServiceProcess(pid: pid)
    }

    private static func start(_ words: [String]) -> pid_t {
        // SAFETY: the copies live until they are freed below, after the call; the child has its own.
        var copies: [UnsafePointer<CChar>?] = unsafe words.map { unsafe UnsafePointer(strdup($0)) }
        unsafe copies.append(nil)
        let pid = unsafe clinux_start_self(copies)
        while let copy = unsafe copies.popLast() { unsafe free(UnsafeMutablePointer(mutating: copy)) }
        return pid
    }

    /// How it ended, as shells say it; nil while it runs. Until it is let go of, its number is nobody else's.
    var exitStatus: Int32? {
        let status = clinux_exit_status(pid)
        return status < 0 ? nil : status
    }

    /// Asks for a graceful end. Goes on waiting in a task that is cancelled.
    func stop(clocks: Clocks) async {
        _ = Glibc.kill(pid, SIGTERM)
        await end(before: clocks.uptime() + .seconds(30), clocks)
    }

    /// Waits until it has ended, or until `deadline`.
    func end(before deadline: Duration, _ clocks: Clocks) async {
        while exitStatus == nil, clocks.uptime() < deadline {
            // In a task of its own: the sleep of a cancelled one would be none.
            await Task { try? await clocks.sleep(.milliseconds(20)) }.value
        }
    }

    /// kill -9, and until the kernel has taken back what it held.
    deinit {
        _ = Glibc.kill(pid, SIGKILL)
        _ = waitpid(pid, nil, 0)
    }
}
