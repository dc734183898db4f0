import Glibc
import Synchronization

/// The bytes of the ledger and its journal at one instant. SQLite is real; the power it loses is simulated: what it
/// writes after the cut never happened.
final class LedgerFiles: Sendable {
    private static let names = ["ledger.sqlite", "ledger.sqlite-journal"]
    private let saved = Mutex<[String: [UInt8]]?>(nil)

    func save(_ root: String) {
        var files: [String: [UInt8]] = [:]
        for name in Self.names { files[name] = Self.read("\(root)/\(name)") }
        saved.withLock { $0 = files }
    }

    /// Puts them back, if they were saved.
    func restore(_ root: String) {
        guard let files = saved.withLock({ $0 }) else { return }
        for name in Self.names {
            unlink("\(root)/\(name)")
            guard let bytes = files[name] else { continue }
            let file = open("\(root)/\(name)", O_WRONLY | O_CREAT | O_EXCL, 0o600)
            _ = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
            close(file)
        }
    }

    private static func read(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: Int(lseek(file, 0, SEEK_END)))
        let got = bytes.withUnsafeMutableBytes { pread(file, $0.baseAddress, $0.count, 0) }
        return got == bytes.count ? bytes : nil
    }
}
