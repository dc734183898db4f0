internal import NIOCore
internal import Synchronization

/// The service behind callbacks that are made before it is whole.
final class ServiceHolder: Sendable {
    private let held = Mutex<Service?>(nil)

    var service: Service? { held.withLock { $0 } }

    func set(_ service: Service) { held.withLock { $0 = service } }

    /// Tells a shipper in another process that files came; one that is not there finds them by itself.
    func wakeShipper(_ socket: String) {
        Task { _ = await ControlClient.request(path: socket, .wake, timeout: .seconds(1)) }
    }
}
