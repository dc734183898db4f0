package import DiskIO
internal import Synchronization

/// A disk in memory with two views: what processes see, and what a power cut leaves.
///
/// Content becomes durable by `sync` or `syncData` of the file, names by `syncDirectory`. Until then each write and
/// each entry is a *pending change*, of which a power cut keeps any part (`Crash`). A sync that fails drops the pages:
/// what it covered stays visible, and no later sync of the file makes it durable, as on Linux. Every call is one
/// numbered operation that can be made to fail (`Injection`) or to be the instant of the cut: from then on every call
/// fails until `restart`.
package final class SimulatedDisk: FileSystem {
    /// A file's bytes, as processes see them and as the medium has them.
    final class Node {
        var live: [UInt8] = []
        var durable: [UInt8] = []
        /// Bytes set aside by `reserve`.
        var reserved = 0

        /// Blocks taken from the volume.
        var allocated: UInt64 { UInt64(max(reserved, (live.count + 4095) / 4096 * 4096)) }
    }

    struct State {
        var live: [String: Node] = [:]
        var durable: [String: Node] = [:]
        var directories: Set<String> = ["", "/"]
        var open: [Int32: (node: Node, path: String)] = [:]
        /// Beyond every real descriptor, so that both kinds can meet behind one seam.
        var nextID: Int32 = 1 << 20
        var pending: [PendingChange] = []
        var operations = 0
        var injection: Injection?
        var cutAt: Int?
        var isOff = false
        var onCut: @Sendable () -> Void = {}
        /// Bytes of the volume; nil = more than anything needs.
        var capacity: UInt64?
        /// Bytes that somebody else took.
        var ballast: UInt64 = 0
        /// Bytes of files that every read of fails.
        var unreadable: [String: Range<Int>] = [:]
        /// `operation path`, for the rules that a trace must follow.
        var trace: [String] = []
    }

    let state = Mutex(State())

    package init() {}

    func locked<T: Sendable, E: Error>(_ body: (inout State) throws(E) -> T) throws(E) -> T {
        try state.withLock { state throws(E) in try body(&state) }
    }

    /// Counts an operation; fails it when it is its turn. Returns whether it transfers only a part.
    @discardableResult
    private func step(
        _ state: inout State, _ operation: IOError.Operation, _ path: String, needsSpace: Bool = false
    ) throws(IOError) -> Bool {
        if !state.isOff, let cutAt = state.cutAt, state.operations >= cutAt {
            state.isOff = true
            state.onCut()
        }
        if state.isOff { throw IOError(operation, path, code: Errno.inputOutput) }
        let number = state.operations
        state.operations += 1
        state.trace.append("\(operation) \(path)")
        let call = Call(number: number, operation: operation, path: path, needsSpace: needsSpace)
        switch state.injection?.effect(call) {
        case .error(let code): throw IOError(operation, path, code: code)
        case .shortTransfer: return true
        case nil: return false
        }
    }

    private func node(_ state: State, _ file: FileID) -> (node: Node, path: String) { state.open[file.rawValue]! }

    // MARK: Files

    package func open(_ path: String, _ mode: OpenMode) throws(IOError) -> FileID {
        try locked { state throws(IOError) in
            try step(&state, .open, path, needsSpace: mode == .create)
            let found = state.live[path]
            switch (mode, found) {
            case (.create, .some): throw IOError(.open, path, code: Errno.exists)
            case (.create, .none): state.link(Node(), path)
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
            let isShort = try step(&state, .read, path)
            let start = min(Int(offset), node.live.count)
            let count = min(wanted, node.live.count - start)
            if state.unreadable[path]?.overlaps(start..<start + count) ?? false {
                throw IOError(.read, path, code: Errno.inputOutput)
            }
            return Array(node.live[start..<start + (isShort ? (count + 1) / 2 : count)])
        }
        buffer.withUnsafeMutableBytes { $0.copyBytes(from: bytes) }
        return bytes.count
    }

    package func write(_ file: FileID, _ bytes: Span<UInt8>, at offset: UInt64) throws(IOError) -> Int {
        let copy = bytes.withUnsafeBytes { Array($0) }
        return try locked { state throws(IOError) in
            let (node, path) = node(state, file)
            let grows = offset + UInt64(copy.count) > node.allocated
            do throws(IOError) {
                let isShort = try step(&state, .write, path, needsSpace: grows)
                if grows, !state.hasRoom(for: offset + UInt64(copy.count) - node.allocated) {
                    throw IOError(.write, path, code: Errno.noSpace)
                }
                let count = isShort ? (copy.count + 1) / 2 : copy.count
                state.put(copy[..<count], at: Int(offset), in: node)
                return count
            } catch {
                // A write that failed may have reached half of its bytes.
                if !state.isOff, error.code != Errno.noSpace {
                    state.put(copy[..<(copy.count / 2)], at: Int(offset), in: node)
                }
                throw error
            }
        }
    }

    package func size(_ file: FileID) throws(IOError) -> UInt64 {
        try locked { state throws(IOError) in
            let (node, path) = node(state, file)
            try step(&state, .size, path)
            return UInt64(node.live.count)
        }
    }

    package func reserve(_ file: FileID, length: UInt64) throws(IOError) {
        try locked { state throws(IOError) in
            let (node, path) = node(state, file)
            try step(&state, .reserve, path, needsSpace: true)
            let more = length - min(length, node.allocated)
            guard state.hasRoom(for: more) else { throw IOError(.reserve, path, code: Errno.noSpace) }
            node.reserved = max(node.reserved, Int(length))
        }
    }

    package func setSize(_ file: FileID, to length: UInt64) throws(IOError) {
        try locked { state throws(IOError) in
            let (node, path) = node(state, file)
            try step(&state, .setSize, path)
            precondition(Int(length) >= node.live.count, "nothing of ours is ever cut")
            if Int(length) > node.live.count {
                node.live += [UInt8](repeating: 0, count: Int(length) - node.live.count)
            }
            node.reserved = 0
        }
    }

    package func syncData(_ file: FileID) throws(IOError) { try sync(file) }

    package func sync(_ file: FileID) throws(IOError) {
        try locked { state throws(IOError) in
            let (node, path) = node(state, file)
            do throws(IOError) {
                try step(&state, .sync, path)
            } catch {
                if !state.isOff { state.drop(node) }
                throw error
            }
            state.settle(node)
        }
    }

    package func dropCache(_ file: FileID) throws(IOError) {
        try locked { state throws(IOError) in
            let (node, path) = node(state, file)
            try step(&state, .dropCache, path)
            state.reload(node)
        }
    }

    // MARK: Names

    package func rename(_ from: String, to: String) throws(IOError) {
        try locked { state throws(IOError) in
            try step(&state, .rename, "\(from) \(to)")
            try move(&state, from, to)
        }
    }

    package func renameExclusively(_ from: String, to: String) throws(IOError) {
        try locked { state throws(IOError) in
            try step(&state, .rename, "\(from) \(to)")
            guard state.live[to] == nil else { throw IOError(.rename, to, code: Errno.exists) }
            try move(&state, from, to)
        }
    }

    private func move(_ state: inout State, _ from: String, _ to: String) throws(IOError) {
        guard let node = state.live[from] else { throw IOError(.rename, from, code: Errno.notFound) }
        (state.live[from], state.live[to]) = (nil, node)
        state.pending.append(.rename(from: from, to: to, node))
    }

    package func remove(_ path: String) throws(IOError) {
        try locked { state throws(IOError) in
            try step(&state, .remove, path)
            guard state.live[path] != nil else { throw IOError(.remove, path, code: Errno.notFound) }
            state.link(nil, path)
        }
    }

    package func makeDirectory(_ path: String) throws(IOError) {
        try locked { state throws(IOError) in
            try step(&state, .makeDirectory, path, needsSpace: true)
            state.directories.insert(path)
        }
    }

    package func list(_ directory: String) throws(IOError) -> [String] {
        try locked { state throws(IOError) in
            try step(&state, .list, directory)
            let prefix = Array((directory + "/").utf8)
            return state.live.keys.compactMap { path in
                let bytes = path.utf8
                guard bytes.starts(with: prefix) else { return nil }
                let name = bytes.dropFirst(prefix.count)
                return name.contains(UInt8(ascii: "/")) ? nil : String(Substring(name))
            }.sorted()
        }
    }

    package func syncDirectory(_ path: String) throws(IOError) {
        try locked { state throws(IOError) in
            try step(&state, .syncDirectory, path)
            state.settle(directory: path)
        }
    }

    package func status(_ path: String) throws(IOError) -> FileStatus? {
        try locked { state throws(IOError) in
            try step(&state, .status, path)
            if state.directories.contains(path) {
                return FileStatus(byteCount: 0, allocatedByteCount: 0, modifiedMilliseconds: 0, isDirectory: true)
            }
            return state.live[path].map {
                FileStatus(
                    byteCount: UInt64($0.live.count), allocatedByteCount: $0.allocated, modifiedMilliseconds: 0,
                    isDirectory: false)
            }
        }
    }

    package func space(_ path: String) throws(IOError) -> VolumeSpace {
        try locked { state throws(IOError) in
            try step(&state, .space, path)
            guard let capacity = state.capacity else { return VolumeSpace(total: 1 << 40, free: 1 << 40) }
            let used = state.used
            return VolumeSpace(total: capacity, free: capacity - min(capacity, used))
        }
    }

    // MARK: A test's view

    /// Operations so far.
    package var operationCount: Int { locked { $0.operations } }
    package var openFileCount: Int { locked { $0.open.count } }
    package var trace: [String] { locked { $0.trace } }
    package var isOff: Bool { locked { $0.isOff } }

    package func inject(_ injection: Injection?) { locked { $0.injection = injection } }
    /// - Parameter onCut: called at the instant of the cut, before the operation fails.
    package func cutPower(before operation: Int?, onCut: @escaping @Sendable () -> Void = {}) {
        locked {
            $0.cutAt = operation
            $0.onCut = onCut
        }
    }

    /// The volume's size, and what somebody else takes of it.
    package func setSpace(capacity: UInt64?, ballast: UInt64 = 0) {
        locked {
            $0.capacity = capacity
            $0.ballast = ballast
        }
    }

    /// The live bytes of a file.
    package func bytes(_ path: String) -> [UInt8]? { locked { $0.live[path]?.live } }

    /// Names of files below a directory, at any depth, sorted.
    package func files(below directory: String) -> [String] {
        locked { $0.live.keys.filter { $0.hasPrefix(directory + "/") }.sorted() }
    }

    /// Changes a file's bytes, durable at once: rot.
    package func corrupt(_ path: String, _ change: (inout [UInt8]) -> Void) {
        locked { state in
            guard let node = state.live[path] else { return }
            change(&node.live)
            node.durable = node.live
            state.pending.removeAll { $0.isWrite(to: node) }
        }
    }

    /// Bytes of a file that the medium does not give back any more.
    package func makeUnreadable(_ path: String, _ bytes: Range<Int>) { locked { $0.unreadable[path] = bytes } }

    /// A file with these bytes, durable at once.
    package func plant(_ path: String, _ bytes: [UInt8]) {
        locked { state in
            let node = Node()
            (node.live, node.durable) = (bytes, bytes)
            (state.live[path], state.durable[path]) = (node, node)
        }
    }
}
