/// A call to the disk that failed: the operation, the path, the errno, and what to do about it.
package struct IOError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Operation: String, Sendable {
        case open, read, write, size, reserve
        case setSize = "set the size of"
        case sync, rename, remove
        case dropCache = "drop the cache of"
        case makeDirectory = "make directory"
        case list
        case syncDirectory = "sync directory"
        case status = "look at"
        case space = "measure"
        case lock
    }

    package let operation: Operation
    package let path: String
    /// `errno`.
    package let code: Int32

    package init(_ operation: Operation, _ path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// No room: the volume, a quota, or the file-size limit.
    package var isOutOfSpace: Bool { Errno.outOfSpace.contains(code) }
    package var isNotFound: Bool { code == Errno.notFound }
    package var alreadyExists: Bool { code == Errno.exists }

    package var description: String {
        "cannot \(operation.rawValue) \(path): \(Errno.text(code))\(advice.map { "; " + $0 } ?? "")"
    }

    private var advice: String? {
        switch code {
        case Errno.accessDenied, Errno.notPermitted: "check that the service's user owns the storage path"
        case Errno.readOnly: "the volume is mounted read-only; look at the kernel log"
        case Errno.inputOutput: "the device failed; look at the kernel log"
        case Errno.tooManyFiles: "raise the limit of open files (ulimit -n)"
        case _ where isOutOfSpace: "free space on the volume or enlarge it"
        default: nil
        }
    }
}
