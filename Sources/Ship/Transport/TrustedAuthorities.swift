internal import DiskIO
internal import Glibc

/// The certificates of authorities, in PEM form: the system's and those of `http.ca_file`. Read again when a file
/// changes, also when a symbolic link on the way is swapped.
final class TrustedAuthorities {
    private let path: String
    private let systemBundle: String
    private var stamps: [Stamp] = []
    private var bundle: [UInt8] = []

    private struct Stamp: Equatable {
        let path: String
        let inode: UInt64
        let byteCount: Int64
        let seconds: Int
        let nanoseconds: Int
    }

    /// 200 authorities have some 300 KB.
    private static let byteLimit = 16 << 20

    init(path: String, systemBundle: String) {
        self.path = path
        self.systemBundle = systemBundle
    }

    /// - Throws: `.unusableRequest` when nothing can be read at `path`: then nobody is trusted, rather than fewer.
    func current() throws(TransportError) -> [UInt8] {
        let own = files.compactMap(Self.stamp)
        guard !own.isEmpty else {
            throw TransportError(.unusableRequest, "cannot read http.ca_file \(path): no such file, or not readable")
        }
        let system = own.contains { $0.path == systemBundle } ? nil : Self.stamp(systemBundle)
        let found = [system].compactMap(\.self) + own
        guard found != stamps else { return bundle }
        var text: [UInt8] = []
        for file in found {
            do throws(ShipFailure) {
                text += Array((try SecretFile.contentsIfAny(file.path, limit: Self.byteLimit) ?? "").utf8) + [0x0A]
            } catch {
                throw TransportError(.unusableRequest, "cannot read http.ca_file: \(error.text)")
            }
        }
        (stamps, bundle) = (found, text)
        return text
    }

    /// The file, or the directory's files.
    private var files: [String] {
        let names: [String]
        // It is no directory: then it is a file.
        do throws(IOError) { names = try PosixFileSystem().list(path) } catch { return [path] }
        return names.filter { !$0.hasPrefix(".") }.map { "\(path)/\($0)" }
    }

    private static func stamp(_ path: String) -> Stamp? {
        var status = Glibc.stat()
        // SAFETY: the path is a NUL-terminated copy during the call; stat fills the struct it is given.
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Stamp(
            path: path, inode: UInt64(status.st_ino), byteCount: Int64(status.st_size),
            seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    }
}
