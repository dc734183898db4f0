internal import Dispatch

/// Runs the shipper's tasks on threads that may block: SQLite, fsync and file copies stay off the cooperative pool,
/// whose few threads would otherwise wait for a disk.
final class BlockingExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "cirrus.ship", attributes: .concurrent)

    func enqueue(_ job: consuming ExecutorJob) {
        // SAFETY: the job is run exactly once; the queue's block keeps this executor alive while it does.
        let job = UnownedJob(job)
        queue.async { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
