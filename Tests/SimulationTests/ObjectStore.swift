import Digest
import DiskIO
import Ship
import Synchronization
import TestKit

/// The upload API and the bucket behind it, in memory, as unreliable as a seed says. What a PUT stored is there for
/// good: it is the outside world, which no power cut of ours undoes.
final class ObjectStore: HTTPTransport {
    static let host = "https://bucket.s3.amazonaws.com/prefix/"

    private struct State {
        var chance: SeededGenerator
        /// Probability that a call goes wrong.
        var misbehaviour = 0.0
        var objects: [String: [UInt8]] = [:]
        var violations: [String] = []
        var calls: [String] = []
    }

    private let state: Mutex<State>
    private let fileSystem: any FileSystem
    private let disk: SimulatedDisk
    private let clocks: Clocks

    init(seed: UInt64, disk: SimulatedDisk, clocks: Clocks) {
        state = Mutex(State(chance: SeededGenerator(seed: seed)))
        self.disk = disk
        fileSystem = SplitFileSystem(disk)
        self.clocks = clocks
    }

    func misbehave(_ probability: Double) { state.withLock { $0.misbehaviour = probability } }
    /// By reference id.
    var objects: [String: [UInt8]] { state.withLock { $0.objects } }
    var violations: [String] { state.withLock { $0.violations } }
    var calls: [String] { state.withLock { $0.calls } }

    func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
        // A machine without power sends nothing.
        guard !disk.isOff else { throw TransportError(.connection, "the machine is off") }
        switch request.body {
        case .none: return HTTPResponse(status: 404, headers: [:], body: [])
        case .bytes(let body): return try allocate(request, String(decoding: body, as: UTF8.self))
        case .file(let path, _, let byteCount, let digest): return try put(request, path, byteCount, digest)
        }
    }

    private enum Mishap: CaseIterable { case timeoutBefore, timeoutAfter, serverError, refusal, nonsense }

    private func mishap(_ call: String) -> Mishap? {
        state.withLock { state in
            let isWrong = state.chance.chance(state.misbehaviour)
            let mishap = isWrong ? Mishap.allCases.randomElement(using: &state.chance) : nil
            state.calls.append("\(call) \(mishap.map { "\($0)" } ?? "good")")
            return mishap
        }
    }

    private func allocate(_ request: HTTPRequest, _ body: String) throws(TransportError) -> HTTPResponse {
        let isUpload = request.url.text.contains("/upload")
        let ids = body.split(separator: "\"").filter { $0.hasSuffix(".parquet") }.map(String.init)
        switch mishap(isUpload ? "allocate \(ids.count)" : "call") {
        case .timeoutBefore, .timeoutAfter: throw TransportError(.timedOut, "no answer")
        case .serverError: return HTTPResponse(status: 503, headers: [:], body: [])
        case .refusal: return HTTPResponse(status: 403, headers: [:], body: Array("{}".utf8))
        case .nonsense: return HTTPResponse(status: 200, headers: [:], body: Array("{\"unknown\":".utf8))
        case nil: break
        }
        guard isUpload else { return HTTPResponse(status: 200, headers: [:], body: []) }
        let date = AWSTimestamp(unixSeconds: clocks.wallMilliseconds() / 1000).text
        let entries = ids.map { id in
            "\"\(id)\":\"\(Self.host)\(id)?X-Amz-Date=\(date)&X-Amz-Expires=600&X-Amz-Signature=0\""
        }
        return HTTPResponse(status: 200, headers: [:], body: Array("{\(entries.joined(separator: ","))}".utf8))
    }

    private func put(
        _ request: HTTPRequest, _ path: String, _ byteCount: UInt64, _ digest: String
    ) throws(TransportError) -> HTTPResponse {
        let bytes: [UInt8]
        do throws(IOError) {
            bytes = try fileSystem.contents(of: path, limit: 1 << 24)
        } catch {
            throw TransportError(.fileUnreadable, "\(error)")
        }
        guard bytes.count == Int(byteCount), hex(Digest.of(bytes, .sha256)).hasPrefix(digest) else {
            throw TransportError(.digestMismatch, "other bytes than the name says")
        }
        let key = String(request.url.text.dropFirst(Self.host.utf8.count).prefix { $0 != "?" })
        switch mishap("put \(key)") {
        case .timeoutBefore: throw TransportError(.timedOut, "no answer")
        case .timeoutAfter:
            store(bytes, at: key)
            throw TransportError(.timedOut, "no answer")
        case .serverError: return HTTPResponse(status: 500, headers: [:], body: [])
        case .refusal: return HTTPResponse(status: 403, headers: [:], body: Array("<Code>AccessDenied</Code>".utf8))
        case .nonsense:
            let etag = String(repeating: "0", count: 32)
            return HTTPResponse(status: 200, headers: ["etag": "\"\(etag)\""], body: [])
        case nil:
            store(bytes, at: key)
            return HTTPResponse(status: 200, headers: ["etag": "\"\(hex(Digest.of(bytes, .md5)))\""], body: [])
        }
    }

    private func store(_ bytes: [UInt8], at key: String) {
        state.withLock { state in
            if let before = state.objects[key], before != bytes {
                state.violations.append("\(key) was PUT twice with different bytes")
            }
            state.objects[key] = bytes
        }
    }
}
