import Dispatch
import Glibc
import Synchronization

/// A small HTTP server on 127.0.0.1: one answer a connection, or many, by script. What it received is kept.
final class LoopbackServer: Sendable {
    struct Received: Sendable {
        var head = ""
        var body: [UInt8] = []
    }

    let port: UInt16
    private let listener: Int32
    private let received = Mutex<[Received]>([])

    var requests: [Received] { received.withLock { $0 } }
    var url: String { "http://127.0.0.1:\(port)" }

    /// - Parameters:
    ///   - keepsConnections: the client may ask again on the same one; no answer closes it.
    ///   - answer: raw bytes for a request; nil: the connection stays open without an answer.
    init(keepsConnections: Bool = false, _ answer: @escaping @Sendable (Received) -> String?) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 16) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        precondition(bound, "loopback is there")
        port = UInt16(bigEndian: address.sin_port)
        DispatchQueue(label: "loopback").async { [self] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                var text: String?
                repeat {
                    let request = Self.read(connection)
                    received.withLock { $0.append(request) }
                    text = answer(request)
                    _ = text?.withCString { send(connection, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
                } while keepsConnections && text != nil
                // Without an answer the connection lives as long as the test's process.
                if keepsConnections || text != nil { close(connection) }
            }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// The head, and Content-Length bytes of body, or what came before the end.
    private static func read(_ connection: Int32) -> Received {
        var request = Received()
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(connection, &buffer, buffer.count, 0)
            if count <= 0 { break }
            bytes += buffer[..<count]
            guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { continue }
            request.head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
            request.body = Array(bytes[end.upperBound...])
            let line = request.head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
            let length = line.flatMap { Int($0.split(separator: " ").last ?? "") } ?? 0
            if request.body.count >= length { break }
        }
        return request
    }
}
