internal import NIOCore
internal import NIOHTTP1

extension HTTPResponse {
    /// The answer on the wire, in one buffer: the body of ours is small beside what requests carry.
    func encoded(
        to request: HTTPRequestHead?, keepsOpen: Bool, allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        let length = body?.readableBytes ?? 0
        var buffer = allocator.buffer(capacity: 256 + length)
        buffer.writeStaticString("HTTP/1.1 ")
        buffer.writeString(String(status.code))
        buffer.writeStaticString(" ")
        buffer.writeString(status.reasonPhrase)
        buffer.writeStaticString("\r\n")
        for (name, value) in headers {
            buffer.writeString(name)
            buffer.writeStaticString(": ")
            buffer.writeString(Self.isSafe(value) ? value : "")
            buffer.writeStaticString("\r\n")
        }
        // RFC 9112 §6: an answer without a body by its status has no length either.
        if status.mayHaveResponseBody {
            buffer.writeStaticString("content-length: ")
            buffer.writeString(String(length))
            buffer.writeStaticString("\r\n")
        }
        if !keepsOpen {
            buffer.writeStaticString("connection: close\r\n")
        } else if request?.version == .http1_0 {
            buffer.writeStaticString("connection: keep-alive\r\n")
        }
        buffer.writeStaticString("\r\n")
        if request?.method != .HEAD, status.mayHaveResponseBody, let body { buffer.writeImmutableBuffer(body) }
        return buffer
    }

    /// A value that can end no header: one that echoes a request's text must not split the answer.
    private static func isSafe(_ value: String) -> Bool {
        value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }
}
