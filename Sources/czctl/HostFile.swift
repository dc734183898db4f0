internal import CLinux
internal import DiskIO
internal import Glibc

/// The variables of the environment as the process was given them.
enum ProcessEnvironment {
    /// Of two of one name the first, as getenv has it.
    static let variables: [String: String] = {
        var variables: [String: String] = [:]
        var index: Int32 = 0
        // SAFETY: the texts are as the kernel gave them, each ends with a zero, and nothing here changes them.
        while let text = unsafe clinux_variable(index) {
            index += 1
            let variable = unsafe String(cString: text)
            guard let end = variable.firstIndex(of: "="), variables[String(variable[..<end])] == nil else { continue }
            variables[String(variable[..<end])] = String(variable[variable.index(after: end)...])
        }
        return variables
    }()
}

/// Small files and directories of the machine, `/proc` above all, which are asked for what they may not have.
enum HostFile {
    private static let byteLimit = 4 << 20

    static func exists(_ path: String) -> Bool {
        // SAFETY: the path is a NUL-terminated copy during the call.
        unsafe access(path, F_OK) == 0
    }

    /// The text, 4 MiB of it at most; nil when it cannot be read. The files of `/proc` do not know their length.
    static func text(_ path: String) -> String? {
        do throws(IOError) {
            let file = try File(path, .read, in: PosixFileSystem())
            var (bytes, part) = ([UInt8](), [UInt8](repeating: 0, count: 64 << 10))
            while bytes.count < byteLimit {
                let count = try file.read(at: UInt64(bytes.count), into: &part)
                if count == 0 { break }
                bytes += part[..<count]
            }
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            return nil  // it is not there, or not for this user
        }
    }

    /// The names in a directory; none when it cannot be read.
    static func names(_ directory: String) -> [String] {
        // Not there, or not for this user.
        (try? PosixFileSystem().list(directory)) ?? []
    }

    /// Where a symbolic link leads; nil for anything else.
    static func target(ofLink path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        // SAFETY: readlink writes no more than the array holds.
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe readlink(path, $0.baseAddress!, $0.count) }
        return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
    }
}
