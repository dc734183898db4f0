internal import Glibc

/// The `errno` values we decide on, and their texts.
package enum Errno {
    package static let notFound = ENOENT
    package static let exists = EEXIST
    package static let inputOutput = EIO
    package static let accessDenied = EACCES
    package static let notPermitted = EPERM
    package static let readOnly = EROFS
    package static let tooManyFiles = EMFILE
    package static let noSpace = ENOSPC
    package static let wouldBlock = EWOULDBLOCK
    package static let quota = EDQUOT
    package static let interrupted = EINTR
    package static let outOfSpace = [ENOSPC, EDQUOT, EFBIG]

    package static func text(_ code: Int32) -> String {
        // SAFETY: strerror returns a NUL-terminated string that outlives the copy made here.
        guard let text = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text).lowercased()
    }
}
