internal import NIOCore
internal import Synchronization

/// The open connections of one server, of all its event loops.
final class ConnectionRegistry: Sendable {
    private struct State {
        var open: [ObjectIdentifier: any Channel] = [:]
        var isQuiescing = false
        var emptied: [CheckedContinuation<Void, Never>] = []
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    var count: Int { state.withLock { $0.open.count } }

    /// False when the limit is reached or the server quiesces; the channel is counted either way until `remove`.
    func add(_ channel: any Channel) -> Bool {
        state.withLock { state in
            state.open[ObjectIdentifier(channel)] = channel
            return state.open.count <= limit && !state.isQuiescing
        }
    }

    func remove(_ channel: any Channel) {
        let emptied = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.open[ObjectIdentifier(channel)] = nil
            return state.open.isEmpty ? Self.taking(&state.emptied) : []
        }
        for waiter in emptied { waiter.resume() }
    }

    /// Tells each connection to close after the request it is in.
    func quiesce() {
        let open = state.withLock { state in
            state.isQuiescing = true
            return Array(state.open.values)
        }
        for channel in open { channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
    }

    func closeAll() {
        let open = state.withLock { state in
            state.isQuiescing = true
            return Array(state.open.values)
        }
        for channel in open { channel.close(promise: nil) }
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
