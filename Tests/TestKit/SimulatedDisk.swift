package import DiskIO
internal import Synchronization

/// A disk in memory with two views: what processes see, and what a power cut leaves.
///
/// Content becomes durable by `sync` or `syncData` of the file, names by `syncDirectory`. It can fail operation *n*,
/// and cut the power before operation *n*: from then on every call fails until `restart`, which keeps the durable view,
/// or more of it when `keeps` says so.
package final class SimulatedDisk: FileSystem {
    /// What a power cut leaves of that which was not synced.
    package enum Survival: CaseIterable, Sendable {
        /// Nothing.
        case nothing
        /// All of it: the cache was written back in time.
        case everything
        /// Names, but no content: files are there and hold zeros.
        case names
        /// Content, but no names.
        case content
        /// Half of each unsynced write, in blocks of 512 bytes.
        case tornWrites
    }

    package struct Fault: Sendable {
        package let operation: Int
        package let code: Int32
        /// Fails all operations from there on instead of one.
        package let isSticky: Bool

        package init(operation: Int, code: Int32, isSticky: Bool = false) {
            self.operation = operation
            self.code = code
            self.isSticky = isSticky
        }
    }

    private final class Node {
        var live: [UInt8] = []
        var durable: [UInt8] = []
    }

    private struct State {
        var live: [String: Node] = [:]
        var durable: [String: Node] = [:]
        var directories: Set<String> = ["", "/"]
        var open: [Int32: (node: Node, path: String)] = [:]
        var nextID: Int32 = 3
        var operations = 0
        var fault: Fault?
        var cutAt: Int?
        var isOff = false
        var space = VolumeSpace(total: 1 << 40, free: 1 << 40)
        /// `operation path`, for the rules that a trace must follow.
        var trace: [String] = []
    }

    private let state = Mutex(State())

    package init() {}

    private func locked<T: Sendable, E: Error>(_ body: (inout State) throws(E) -> T) throws(E) -> T {
        try state.withLock { state throws(E) in try body(&state) }
    }

    // MARK: Faults

    /// Operations so far.
    package var operationCount: Int { locked { $0.operations } }
    package var openFileCount: Int { locked { $0.open.count } }
    package var trace: [String] { locked { $0.trace } }

    package func fail(_ fault: Fault?) { locked { $0.fault = fault } }
    package func cutPower(before operation: Int?) { locked { $0.cutAt = operation } }
    package func setSpace(_ space: VolumeSpace) { locked { $0.space = space } }

    /// Power comes back: what was not durable is gone, as far as `survival` says.
    package func restart(_ survival: Survival) {
        locked { state in
            state.isOff = false
            state.cutAt = nil
            state.fault = nil
            state.open = [:]
            if survival == .everything || survival == .names { state.durable = state.live }
            var nodes: [ObjectIdentifier: Node] = [:]
            for node in state.durable.values { nodes[ObjectIdentifier(node)] = node }
            for node in nodes.values { settle(node, survival) }
            state.live = state.durable
        }
    }

    private func settle(_ node: Node, _ survival: Survival) {
        switch survival {
        case .nothing: break
        case .everything, .content: node.durable = node.live
        case .names:
            node.durable += [UInt8](repeating: 0, count: max(0, node.live.count - node.durable.count))
        case .tornWrites:
            let size = max(node.live.count, node.durable.count)
            let before = node.durable + [UInt8](repeating: 0, count: size - node.durable.count)
            let after = node.live + [UInt8](repeating: 0, count: size - node.live.count)
            node.durable = (0..<size).map { ($0 / 512) % 2 == 0 ? after[$0] : before[$0] }
        }
        node.live = node.durable
    }

    /// Counts an operation, and fails it when it is its turn.
    private func step(
        _ state: inout State, _ operation: IOError.Operation, _ path: String
    ) throws(IOError) {
        if state.isOff { throw IOError(operation, path, code: Errno.inputOutput) }
        if let cutAt = state.cutAt, state.operations >= cutAt {
            state.isOff = true
            throw IOError(operation, path, code: Errno.inputOutput)
        }
        let number = state.operations
        state.operations += 1
        state.trace.append("\(operation) \(path)")
        if let fault = state.fault, number == fault.operation || (fault.isSticky && number >= fault.operation) {
            throw IOError(operation, path, code: fault.code)
        }
    }

    private func node(_ state: State, _ file: FileID) -> (node: Node, path: String) { state.open[file.rawValue]! }

    // MARK: FileSystem

    package func open(_ path: String, _ mode: OpenMode) throws(IOError) -> FileID {
        try locked { state throws(IOError) in
            try step(&state, .open, path)
            let found = state.live[path]
            switch (mode, found) {
            case (.create, .some): throw IOError(.open, path, code: Errno.exists)
            case (.create, .none): state.live[path] = Node()
            case (_, .none): throw IOError(.open, path, code: Errno.notFound)
            default: break
            }
            let id = state.nextID
            state.nextID += 1
            state.open[id] = (state.live[path]!, path)
            return FileID(rawValue: id)
        }
    }

    package func close(_ file: FileID) { locked { $0.open[file.rawValue] = nil } }

    package func read(_ file: FileID, at offset: UInt64, into buffer: inout MutableSpan<UInt8>) throws(IOError) -> Int {
        let wanted = buffer.count
        let bytes = try locked { state throws(IOError) in
            let (node, path) = node(state, file)
            try step(&state, .read, path)
            let start = min(Int(offset), node.live.count)
            return Array(node.live[start..<min(start + wanted, node.live.count)])
        }
        for index in bytes.indices { buffer[index] = bytes[index] }
        return bytes.count
    }

    package func write(_ file: FileID, _ bytes: Span<UInt8>, at offset: UInt64) throws(IOError) {
        var copy: [UInt8] = []
        for index in bytes.indices { copy.append(bytes[index]) }
        try locked { state throws(IOError) in
            let (node, path) = node(state, file)
            do throws(IOError) {
                try step(&state, .write, path)
            } catch {
                // A write that failed may have reached half of its bytes.
                if !state.isOff { put(copy.prefix(copy.count / 2), at: Int(offset), in: node) }
                throw error
            }
            put(copy[...], at: Int(offset), in: node)
        }
    }

    private func put(_ bytes: ArraySlice<UInt8>, at offset: Int, in node: Node) {
        let end = offset + bytes.count
        if node.live.count < end { node.live += [UInt8](repeating: 0, count: end - node.live.count) }
        node.live.replaceSubrange(offset..<end, with: bytes)
    }

    package func size(_ file: FileID) throws(IOError) -> UInt64 {
        try locked { state throws(IOError) in
            let (node, path) = node(state, file)
            try step(&state, .size, path)
            return UInt64(node.live.count)
        }
    }

    package func reserve(_ file: FileID, length: UInt64) throws(IOError) {
        try locked { state throws(IOError) in try step(&state, .reserve, node(state, file).path) }
    }

    package func setSize(_ file: FileID, to length: UInt64) throws(IOError) {
        try locked { state throws(IOError) in
            let (node, path) = node(state, file)
            try step(&state, .setSize, path)
            precondition(Int(length) == node.live.count, "nothing of ours is ever cut")
        }
    }

    package func syncData(_ file: FileID) throws(IOError) { try sync(file) }

    package func sync(_ file: FileID) throws(IOError) {
        try locked { state throws(IOError) in
            let (node, path) = node(state, file)
            try step(&state, .sync, path)
            node.durable = node.live
        }
    }

    package func rename(_ from: String, to: String) throws(IOError) {
        try locked { state throws(IOError) in
            try step(&state, .rename, "\(from) \(to)")
            guard let node = state.live.removeValue(forKey: from) else {
                throw IOError(.rename, from, code: Errno.notFound)
            }
            state.live[to] = node
        }
    }

    package func renameExclusively(_ from: String, to: String) throws(IOError) {
        try locked { state throws(IOError) in
            try step(&state, .rename, "\(from) \(to)")
            guard state.live[to] == nil else { throw IOError(.rename, to, code: Errno.exists) }
            guard let node = state.live.removeValue(forKey: from) else {
                throw IOError(.rename, from, code: Errno.notFound)
            }
            state.live[to] = node
        }
    }

    package func remove(_ path: String) throws(IOError) {
        try locked { state throws(IOError) in
            try step(&state, .remove, path)
            guard state.live.removeValue(forKey: path) != nil else {
                throw IOError(.remove, path, code: Errno.notFound)
            }
        }
    }

    package func makeDirectory(_ path: String) throws(IOError) {
        try locked { state throws(IOError) in
            try step(&state, .makeDirectory, path)
            state.directories.insert(path)
        }
    }

    package func list(_ directory: String) throws(IOError) -> [String] {
        try locked { state throws(IOError) in
            try step(&state, .list, directory)
            let prefix = directory + "/"
            return state.live.keys.filter { $0.hasPrefix(prefix) && !$0.dropFirst(prefix.count).contains("/") }
                .map { String($0.dropFirst(prefix.count)) }.sorted()
        }
    }

    package func syncDirectory(_ path: String) throws(IOError) {
        try locked { state throws(IOError) in
            try step(&state, .syncDirectory, path)
            let prefix = path + "/"
            let isIn = { (name: String) in name.hasPrefix(prefix) && !name.dropFirst(prefix.count).contains("/") }
            for name in state.durable.keys.filter(isIn) where state.live[name] == nil { state.durable[name] = nil }
            for (name, node) in state.live where isIn(name) { state.durable[name] = node }
        }
    }

    package func status(_ path: String) throws(IOError) -> FileStatus? {
        try locked { state throws(IOError) in
            try step(&state, .status, path)
            if state.directories.contains(path) {
                return FileStatus(byteCount: 0, modifiedMilliseconds: 0, isDirectory: true)
            }
            return state.live[path].map {
                FileStatus(byteCount: UInt64($0.live.count), modifiedMilliseconds: 0, isDirectory: false)
            }
        }
    }

    package func space(_ path: String) throws(IOError) -> VolumeSpace {
        try locked { state throws(IOError) in
            try step(&state, .space, path)
            return state.space
        }
    }

    // MARK: Damage

    /// The live bytes of a file.
    package func bytes(_ path: String) -> [UInt8]? { locked { $0.live[path]?.live } }

    /// Changes a file's bytes, durable at once: rot.
    package func corrupt(_ path: String, _ change: (inout [UInt8]) -> Void) {
        locked { state in
            guard let node = state.live[path] else { return }
            change(&node.live)
            node.durable = node.live
        }
    }
}
