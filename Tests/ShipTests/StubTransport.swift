import Digest
import DiskIO
import Ship
import Synchronization

/// Scripted answers. Bodies from disk are read and checked as the real transport does; what was PUT is kept.
final class StubTransport: HTTPTransport {
    struct Seen: Sendable {
        let method: String
        let url: String
        let headers: [String: String]
        let body: String

        var path: String { String(url.prefix { $0 != "?" }) }
        /// Reference ids of an allocate body.
        var referenceIDs: [String] {
            body.split(separator: "\"").filter { $0.hasSuffix(".parquet") }.map(String.init)
        }
    }

    typealias Script = @Sendable (Seen) -> Result<HTTPResponse, TransportError>

    private struct State {
        var seen: [Seen] = []
        var objects: [String: [UInt8]] = [:]
    }

    private let state = Mutex(State())
    private let script: Mutex<Script>

    init(_ script: @escaping Script = { _ in .failure(TransportError(.connection, "nobody answers")) }) {
        self.script = Mutex(script)
    }

    func answer(_ script: @escaping Script) { self.script.withLock { $0 = script } }

    var seen: [Seen] { state.withLock { $0.seen } }
    var puts: [Seen] { seen.filter { $0.method == "PUT" } }
    var allocations: [Seen] { seen.filter { $0.path.hasSuffix("/upload") } }
    var abandonCalls: [Seen] { seen.filter { $0.path.hasSuffix("/abandon") } }
    /// By URL path.
    var objects: [String: [UInt8]] { state.withLock { $0.objects } }

    func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
        var content: [UInt8] = []
        switch request.body {
        case .none: break
        case .bytes(let bytes): content = bytes
        case .file(let path, let offset, let byteCount, let digest):
            do throws(IOError) {
                content = try PosixFileSystem().contents(of: path, limit: 1 << 24)
                content = Array(content.dropFirst(Int(offset)).prefix(Int(byteCount)))
            } catch {
                throw TransportError(.fileUnreadable, "\(error)")
            }
            guard content.count == Int(byteCount), hex(Digest.of(content, .sha256)).hasPrefix(digest) else {
                throw TransportError(.digestMismatch, "other bytes")
            }
        }
        let seen = Seen(
            method: request.method.rawValue, url: request.url.text,
            headers: Dictionary(uniqueKeysWithValues: request.headers.map { ($0.name, $0.value) }),
            body: request.method == .put ? "" : String(decoding: content, as: UTF8.self))
        state.withLock { $0.seen.append(seen) }
        let response = try script.withLock { $0 }(seen).get()
        if request.method == .put, (200..<300).contains(response.status) {
            state.withLock { $0.objects[seen.path] = content }
        }
        return response
    }
}

extension HTTPResponse {
    init(_ status: Int, _ body: String = "", headers: [String: String] = [:]) {
        self.init(status: status, headers: headers, body: Array(body.utf8))
    }
}

/// The upload API as it should answer.
enum UploadServer {
    static let host = "https://bucket.s3.amazonaws.com"

    /// A URL signed at 20:00 for `seconds`.
    static func url(_ id: String, signature: String = "SECRETSIGNATURE", seconds: Int = 600) -> String {
        "\(host)/prefix/\(id)?X-Amz-Date=20260701T200000Z&X-Amz-Expires=\(seconds)&X-Amz-Signature=\(signature)"
    }

    static func map(_ ids: [String], _ url: (String) -> String = { UploadServer.url($0) }) -> String {
        "{" + ids.map { "\"\($0)\":\"\(url($0))\"" }.joined(separator: ",") + "}"
    }

    static func good(_ seen: StubTransport.Seen) -> Result<HTTPResponse, TransportError> {
        if seen.path.hasSuffix("/upload") { return .success(HTTPResponse(200, map(seen.referenceIDs))) }
        return .success(HTTPResponse(200))
    }
}
