internal import NIOCore
internal import Synchronization

/// The open connections of one server, of all its event loops.
final class ConnectionRegistry: Sendable {
    enum Admission: Equatable {
        case accepted
        /// Over a limit: to be answered 503 and closed.
        case refused(AccessRefusal)
        /// To be closed without a word: `refusedLimit` connections are being answered already.
        case cut
    }

    private struct Connection {
        let channel: any Channel
        let address: String?
        /// A refused one takes no place of those that serve, for the moment until it is closed.
        let isAccepted: Bool
    }

    private struct State {
        var open: [ObjectIdentifier: Connection] = [:]
        var acceptedCount = 0
        /// Of accepted connections.
        var countByAddress: [String: Int] = [:]
        var isQuiescing = false
        var emptied: [CheckedContinuation<Void, Never>] = []
    }

    private static let refusedLimit = 128

    let limit: Int
    let limitPerAddress: Int
    private let state = Mutex(State())

    init(limit: Int, limitPerAddress: Int) {
        self.limit = limit
        self.limitPerAddress = limitPerAddress
    }

    /// Open connections, also those that are being refused.
    var count: Int { state.withLock { $0.open.count } }

    /// The channel is known until `remove`, whatever becomes of it.
    /// - Parameter address: of the client; nil is counted for none.
    func add(_ channel: any Channel, from address: String?) -> Admission {
        state.withLock { state in
            let admission = admission(from: address, state)
            let isAccepted = admission == .accepted
            state.open[ObjectIdentifier(channel)] = Connection(
                channel: channel, address: address, isAccepted: isAccepted)
            if isAccepted {
                state.acceptedCount += 1
                if let address { state.countByAddress[address, default: 0] += 1 }
            }
            return admission
        }
    }

    private func admission(from address: String?, _ state: borrowing State) -> Admission {
        let isFull = state.acceptedCount >= limit || state.isQuiescing
        let isAddressFull = address.map { state.countByAddress[$0, default: 0] >= limitPerAddress } ?? false
        guard isFull || isAddressFull else { return .accepted }
        guard state.open.count - state.acceptedCount < Self.refusedLimit else { return .cut }
        return .refused(isFull ? .connections : .address)
    }

    func remove(_ channel: any Channel) {
        let emptied = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            if let connection = state.open.removeValue(forKey: ObjectIdentifier(channel)), connection.isAccepted {
                state.acceptedCount -= 1
                if let address = connection.address {
                    let left = state.countByAddress[address, default: 1] - 1
                    state.countByAddress[address] = left > 0 ? left : nil
                }
            }
            return state.open.isEmpty ? Self.taking(&state.emptied) : []
        }
        for waiter in emptied { waiter.resume() }
    }

    /// Tells each connection to close after the request it is in.
    func quiesce() {
        for channel in closing() { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }

    func closeAll() {
        for channel in closing() { channel.close(promise: nil) }
    }

    /// The open channels; none is added from now on.
    private func closing() -> [any Channel] {
        state.withLock { state in
            state.isQuiescing = true
            return state.open.values.map(\.channel)
        }
    }

    func waitUntilEmpty() async {
        await withCheckedContinuation { waiter in
            let isEmpty = state.withLock { state in
                if !state.open.isEmpty { state.emptied.append(waiter) }
                return state.open.isEmpty
            }
            if isEmpty { waiter.resume() }
        }
    }

    private static func taking<T>(_ array: inout [T]) -> [T] {
        defer { array = [] }
        return array
    }
}
