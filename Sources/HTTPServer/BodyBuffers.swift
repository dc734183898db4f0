internal import NIOCore
internal import Synchronization

/// Buffers of bodies that were answered, for the bodies to come: a fresh one of 128 KiB costs 32 page faults, a fifth
/// of the server's CPU.
///
/// A buffer the handler still holds is safe here: `clear` gives it new storage.
final class BodyBuffers: Sendable {
    private static let countLimit = 32
    private static let byteLimit = 4 << 20

    private struct Spare {
        var buffers: [ByteBuffer] = []
        var byteCount = 0

        mutating func takeLast() -> ByteBuffer? {
            guard let last = buffers.popLast() else { return nil }
            byteCount -= last.capacity
            return last
        }
    }

    private let spare = Mutex(Spare())

    /// An empty buffer of at least `capacity` bytes.
    func take(capacity: Int, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        // Its only reference: a second one would make `clear` give it new storage.
        guard var buffer = spare.withLock({ $0.takeLast() }) else { return allocator.buffer(capacity: capacity) }
        buffer.clear(minimumCapacity: capacity)
        return buffer
    }

    func give(_ buffer: consuming ByteBuffer) {
        let buffer = buffer
        spare.withLock { spare in
            guard spare.buffers.count < Self.countLimit, spare.byteCount + buffer.capacity <= Self.byteLimit else {
                return
            }
            spare.byteCount += buffer.capacity
            spare.buffers.append(buffer)
        }
    }
}
