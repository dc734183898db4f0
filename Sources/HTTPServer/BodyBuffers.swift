internal import NIOCore
internal import Synchronization

/// Buffers of bodies that were answered, for the bodies to come: a fresh one of 128 KiB costs 32 page faults, a fifth
/// of the server's CPU.
///
/// A buffer the handler still holds is safe here: `clear` gives it new storage.
final class BodyBuffers: Sendable {
    private static let countLimit = 8
    private static let byteLimit = 1 << 20

    private let spare = Mutex<[ByteBuffer]>([])

    /// An empty buffer of at least `capacity` bytes.
    func take(capacity: Int, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        guard var buffer = spare.withLock({ $0.popLast() }) else { return allocator.buffer(capacity: capacity) }
        buffer.clear(minimumCapacity: capacity)
        return buffer
    }

    func give(_ buffer: consuming ByteBuffer) {
        guard buffer.capacity <= Self.byteLimit else { return }
        let buffer = buffer
        spare.withLock { spare in
            if spare.count < Self.countLimit { spare.append(buffer) }
        }
    }
}
