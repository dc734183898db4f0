internal import DiskIO

/// What a power cut leaves of that which no sync covered (reliability: reordered, torn, forgotten, or all kept).
package enum Crash: Hashable, Sendable, CustomStringConvertible {
    /// Nothing.
    case nothing
    /// All of it: the cache was written back in time.
    case everything
    /// Names and lengths, but no content: files are there and hold zeros.
    case zeros
    /// Names, but neither content nor length: files are there and empty.
    case empty
    /// Content, but no names.
    case content
    /// Every other block of each write (`isOdd`: the others), names kept.
    case torn(blockBytes: Int, isOdd: Bool)
    /// The first changes in order.
    case prefix(Int)
    /// All changes but one.
    case without(Int)
    /// Each change by a coin, each write perhaps torn.
    case random(seed: UInt64)

    package static let fixed: [Crash] = [
        .nothing, .everything, .zeros, .empty, .content, .torn(blockBytes: 512, isOdd: false),
        .torn(blockBytes: 512, isOdd: true), .torn(blockBytes: 4096, isOdd: false),
        .torn(blockBytes: 4096, isOdd: true),
    ]

    /// Every state that `pending` changes can end in, but for the coins.
    package static func all(pending: Int) -> [Crash] {
        guard pending > 0 else { return [.nothing] }
        // One change is kept or lost, and torn; prefixes and gaps say nothing new.
        guard pending > 1 else { return fixed }
        return fixed + (1..<pending).map { .prefix($0) } + (0..<pending).map { .without($0) }
    }

    package var description: String {
        switch self {
        case .nothing: "nothing kept"
        case .everything: "everything kept"
        case .zeros: "names and lengths kept"
        case .empty: "names kept"
        case .content: "content kept, names lost"
        case .torn(let bytes, let isOdd): "\(isOdd ? "odd" : "even") blocks of \(bytes) kept"
        case .prefix(let count): "first \(count) changes kept"
        case .without(let index): "change \(index) lost"
        case .random(let seed): "coins of seed \(seed)"
        }
    }

    enum Fate: Equatable {
        case kept
        case lost
        /// A write: its length is kept, its bytes are zeros where the file grew.
        case zeros
        case torn(blockBytes: Int, isOdd: Bool)
    }

    /// What becomes of the change at `index`.
    func fate(_ index: Int, isWrite: Bool, _ coins: inout SeededGenerator) -> Fate {
        switch self {
        case .nothing: .lost
        case .everything: .kept
        case .zeros: isWrite ? .zeros : .kept
        case .empty: isWrite ? .lost : .kept
        case .content: isWrite ? .kept : .lost
        case .torn(let blockBytes, let isOdd): isWrite ? .torn(blockBytes: blockBytes, isOdd: isOdd) : .kept
        case .prefix(let count): index < count ? .kept : .lost
        case .without(let lost): index == lost ? .lost : .kept
        case .random:
            switch coins.next() % 8 {
            case 0...2: .lost
            case 3 where isWrite: .zeros
            case 4 where isWrite: .torn(blockBytes: 512, isOdd: coins.next() % 2 == 0)
            default: .kept
            }
        }
    }
}

/// A change that a power cut may lose.
enum PendingChange {
    case write(SimulatedDisk.Node, offset: Int, bytes: [UInt8])
    /// The name holds the node from now on; nil: it is gone.
    case entry(path: String, SimulatedDisk.Node?)
    /// One transaction, as in every journaling file system: never only the removal.
    case rename(from: String, to: String, SimulatedDisk.Node)

    func isWrite(to node: SimulatedDisk.Node) -> Bool {
        if case .write(let written, _, _) = self { written === node } else { false }
    }
}

extension SimulatedDisk {
    /// Changes that a power cut now could lose.
    package var pendingCount: Int { locked { $0.pending.count } }

    /// Power comes back: what was not durable is gone, as far as `crash` says.
    package func restart(_ crash: Crash) {
        locked { state in
            var coins = SeededGenerator(seed: 0)
            if case .random(let seed) = crash { coins = SeededGenerator(seed: seed) }
            for (index, change) in state.pending.enumerated() {
                switch change {
                case .write(let node, let offset, let bytes):
                    node.keep(bytes, at: offset, crash.fate(index, isWrite: true, &coins))
                case .entry(let path, let node):
                    if crash.fate(index, isWrite: false, &coins) == .kept { state.durable[path] = node }
                case .rename(let from, let to, let node):
                    if crash.fate(index, isWrite: false, &coins) == .kept {
                        (state.durable[from], state.durable[to]) = (nil, node)
                    }
                }
            }
            state.pending = []
            state.live = state.durable
            for node in state.live.values { node.live = node.durable }
            state.open = [:]
            state.cutAt = nil
            state.isOff = false
            state.injection = nil
        }
    }

    /// The processes died, the machine lives: nothing is lost, nothing becomes durable by it.
    package func restartProcesses() {
        locked { state in
            state.open = [:]
            state.cutAt = nil
            state.isOff = false
            state.injection = nil
        }
    }

    /// The same disk in the same state, for another future. Not while a file is open.
    package func copy() -> SimulatedDisk {
        let other = SimulatedDisk()
        locked { state in
            var twins: [ObjectIdentifier: Node] = [:]
            func twin(_ node: Node) -> Node {
                if let known = twins[ObjectIdentifier(node)] { return known }
                let made = Node()
                (made.live, made.durable, made.reserved) = (node.live, node.durable, node.reserved)
                twins[ObjectIdentifier(node)] = made
                return made
            }
            var copied = state
            copied.live = state.live.mapValues(twin)
            copied.durable = state.durable.mapValues(twin)
            copied.pending = state.pending.map { change in
                switch change {
                case .write(let node, let offset, let bytes): .write(twin(node), offset: offset, bytes: bytes)
                case .entry(let path, let node): .entry(path: path, node.map(twin))
                case .rename(let from, let to, let node): .rename(from: from, to: to, twin(node))
                }
            }
            copied.open = [:]
            copied.onCut = {}
            other.locked { $0 = copied }
        }
        return other
    }
}

extension SimulatedDisk.State {
    mutating func put(_ bytes: ArraySlice<UInt8>, at offset: Int, in node: SimulatedDisk.Node) {
        guard !bytes.isEmpty else { return }
        let end = offset + bytes.count
        if node.live.count < end { node.live += [UInt8](repeating: 0, count: end - node.live.count) }
        node.live.replaceSubrange(offset..<end, with: bytes)
        pending.append(.write(node, offset: offset, bytes: Array(bytes)))
    }

    mutating func link(_ node: SimulatedDisk.Node?, _ path: String) {
        live[path] = node
        pending.append(.entry(path: path, node))
    }

    /// The file's pending writes are on the medium.
    mutating func settle(_ node: SimulatedDisk.Node) {
        for case .write(let written, let offset, let bytes) in pending where written === node {
            node.keep(bytes, at: offset, .kept)
        }
        drop(node)
    }

    /// The file's pending writes are forgotten: visible, and clean in the cache's eyes.
    mutating func drop(_ node: SimulatedDisk.Node) { pending.removeAll { $0.isWrite(to: node) } }

    /// The cache forgets what it does not have to write: pages that a failed sync had dropped turn out to be lost.
    mutating func reload(_ node: SimulatedDisk.Node) {
        let durable = node.durable
        for case .write(let written, let offset, let bytes) in pending where written === node {
            node.keep(bytes, at: offset, .kept)
        }
        (node.live, node.durable) = (node.durable, durable)
    }

    /// Of a rename out of the directory both halves are on the medium, of one into it the new name.
    mutating func settle(directory: String) {
        pending = pending.compactMap { change in
            switch change {
            case .entry(let path, let node) where SimulatedDisk.parent(of: path) == directory: durable[path] = node
            case .rename(let from, let to, let node) where SimulatedDisk.parent(of: from) == directory:
                (durable[from], durable[to]) = (nil, node)
            case .rename(let from, let to, let node) where SimulatedDisk.parent(of: to) == directory:
                durable[to] = node
                return .entry(path: from, nil)
            default: return change
            }
            return nil
        }
    }

    var used: UInt64 {
        var nodes: [ObjectIdentifier: SimulatedDisk.Node] = [:]
        for node in live.values { nodes[ObjectIdentifier(node)] = node }
        for file in open.values { nodes[ObjectIdentifier(file.node)] = file.node }
        return nodes.values.reduce(ballast) { $0 + $1.allocated }
    }

    func hasRoom(for bytes: UInt64) -> Bool { capacity.map { used + bytes <= $0 } ?? true }
}

extension SimulatedDisk.Node {
    func keep(_ bytes: [UInt8], at offset: Int, _ fate: Crash.Fate) {
        guard fate != .lost else { return }
        let end = offset + bytes.count
        if durable.count < end { durable += [UInt8](repeating: 0, count: end - durable.count) }
        switch fate {
        case .lost, .zeros: break
        case .kept: durable.replaceSubrange(offset..<end, with: bytes)
        case .torn(let blockBytes, let isOdd):
            for index in bytes.indices where ((offset + index) / blockBytes % 2 == 1) == isOdd {
                durable[offset + index] = bytes[index]
            }
        }
    }
}
