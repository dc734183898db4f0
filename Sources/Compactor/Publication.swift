internal import Bytes
package import DiskIO
package import WAL

/// What the manifests at start say.
package struct RecoveredManifests: Sendable {
    /// Requests of the last `dedup.window`, oldest first.
    package var requests: [Manifest.Request] = []
    /// Segments that manifests name, readable or not.
    package var retired: [ClosedRange<SegmentID>] = []
    /// Manifests that could not be read; copies are in `quarantine/`.
    package var damaged: [String] = []
}

/// The steps of the commit protocol after the files are verified, each repeatable (design.md §3, I7).
package struct Publication {
    /// A manifest: 142 bytes a request, which has at least 104 of log. Of a plan (`SealedSegments.planByteLimit`) or of
    /// one segment, which `wal.segment_bytes` bounds by 1 GiB.
    private static let byteLimit = 2 << 30

    private let layout: VolumeLayout
    private let fileSystem: any FileSystem
    private let directory: SegmentDirectory

    package init(_ layout: VolumeLayout, in fileSystem: any FileSystem) {
        self.layout = layout
        self.fileSystem = fileSystem
        directory = SegmentDirectory(layout.wal, in: fileSystem)
    }

    private func path(_ manifest: Manifest, _ suffix: String) -> String { "\(layout.wal)/\(manifest.stem).\(suffix)" }

    /// Makes the plan's files the truth: after this rename they are published sooner or later, before it they are
    /// swept.
    func commit(_ manifest: Manifest) throws(IOError) {
        try fileSystem.syncDirectory(layout.staging)
        try fileSystem.publish(at: path(manifest, "commit")) { (file) throws(IOError) in
            var offset: UInt64 = 0
            try manifest.encode { (piece) throws(IOError) in
                try file.write(piece, at: offset)
                offset += UInt64(piece.count)
            }
        }
    }

    /// Moves the files to `outbox/`, then removes the segments, then marks the manifest done. Runs again after a crash
    /// at any step: each file exists once.
    func publish(_ manifest: Manifest) throws(IOError) {
        for file in manifest.files { try move(file.name) }
        try fileSystem.syncDirectory(layout.outbox)
        try fileSystem.syncDirectory(layout.staging)
        for segment in manifest.segments { try retire(segment) }
        try fileSystem.syncDirectory(layout.wal)
        if manifest.isOfKept {
            // The requests are in the manifests of when they were kept: nobody asks for this one.
            try fileSystem.remove(path(manifest, "commit"))
        } else {
            try fileSystem.rename(path(manifest, "commit"), to: path(manifest, "done"))
        }
        try fileSystem.syncDirectory(layout.wal)
    }

    /// Whether a plan that was committed is not finished.
    func hasCommitted() throws(IOError) -> Bool {
        try fileSystem.list(layout.wal).contains { $0.hasSuffix(".commit") }
    }

    private func move(_ name: String) throws(IOError) {
        let staged = "\(layout.staging)/\(name)"
        // Gone from staging: it was published before, and the shipper may have moved it on.
        guard try fileSystem.exists(staged) else { return }
        do throws(IOError) {
            try fileSystem.renameExclusively(staged, to: "\(layout.outbox)/\(name)")
        } catch {
            // The name holds the hash: what is there has the same bytes.
            guard error.alreadyExists else { throw error }
            try fileSystem.remove(staged)
        }
    }

    private func retire(_ segment: Manifest.Segment) throws(IOError) {
        let kept = directory.ofKept.path(of: segment.id)
        let path = segment.fate == .taken ? kept : directory.path(of: segment.id)
        guard try fileSystem.exists(path) else { return }
        if segment.fate == .kept {
            try fileSystem.rename(path, to: kept)
        } else {
            try fileSystem.remove(path)
        }
    }

    /// The manifest; nil when neither copy is whole, or the medium does not give them back.
    private func read(_ name: String) throws(IOError) -> Manifest? {
        do throws(IOError) {
            return Manifest.decode(try fileSystem.contents(of: "\(layout.wal)/\(name)", limit: Self.byteLimit))
        } catch {
            guard error.operation == .read, error.code == Errno.inputOutput else { throw error }
            return nil
        }
    }

    /// The segments that `<first>-<last>.*` names; nil of a manifest of kept ones, between which others may be.
    private static func range(of name: String) -> ClosedRange<SegmentID>? {
        guard !name.contains("\(Manifest.keptSuffix).") else { return nil }
        let numbers = name.prefix { $0 != "." }.split(separator: "-").compactMap { UInt64($0) }
        guard numbers.count == 2, numbers[0] <= numbers[1] else { return nil }
        return SegmentID(numbers[0])...SegmentID(numbers[1])
    }

    // MARK: At start

    /// Finishes every plan that was committed, and removes what no plan committed. Before the segments are read.
    ///
    /// Requests older than the window are forgotten. Age counts from the newest request where the clock is ahead of it:
    /// a clock that jumped while the machine was off must not make a retransmit new.
    /// - Parameters:
    ///   - now: milliseconds since 1970.
    ///   - window: milliseconds.
    package func recover(now: Int64, window: Int64) throws(IOError) -> RecoveredManifests {
        var done: [String: Manifest] = [:]
        var recovered = RecoveredManifests()
        // A manifest that is visible may have lacked its directory's sync: nothing follows from it before.
        try fileSystem.syncDirectory(layout.wal)
        for name in try fileSystem.list(layout.wal) {
            let isCommitted = name.hasSuffix(".commit")
            guard isCommitted || name.hasSuffix(".done") else { continue }
            if let range = Self.range(of: name) { recovered.retired.append(range) }
            guard let manifest = try read(name) else {
                try quarantine(name)
                recovered.damaged.append(name)
                continue
            }
            if isCommitted {
                try publish(manifest)
                if manifest.isOfKept { continue }
            }
            done[manifest.stem + ".done"] = manifest
        }
        let times = done.values.flatMap { $0.requests.map(\.receivedAt) }
        let (oldest, isOlder) = min(now, times.max() ?? now).subtractingReportingOverflow(window)
        for (name, manifest) in done.sorted(by: { $0.key < $1.key }) {
            let known = manifest.requests.filter { isOlder || $0.receivedAt >= oldest }
            // From old to new: the newer one of an empty segment stays behind an older one that stays, since of a gap
            // between two that are known `Recovery` says that nobody made it.
            if known.isEmpty, recovered.requests.isEmpty { try fileSystem.remove("\(layout.wal)/\(name)") }
            recovered.requests += known
        }
        if recovered.damaged.isEmpty { try sweepStaging() }
        return recovered
    }

    /// Finishes plans that were committed and then met a failing disk. Before a plan is chosen: their segments may
    /// still be there, and in another plan their rows would get other names and be shipped twice.
    func finishCommitted() throws {
        let names = try fileSystem.list(layout.wal).filter { $0.hasSuffix(".commit") }
        if !names.isEmpty { try fileSystem.syncDirectory(layout.wal) }
        for name in names {
            guard let manifest = try read(name) else {
                throw CompactorError(reason: .manifest(name: name, detail: "neither copy is whole"))
            }
            try publish(manifest)
        }
    }

    /// Removes a `.done` manifest, which answers no retransmit any more.
    func expire(_ name: String) throws(IOError) { try fileSystem.remove("\(layout.wal)/\(name)") }

    /// Names of the manifests of finished plans, ascending.
    func doneNames() throws(IOError) -> [String] {
        try fileSystem.list(layout.wal).filter { $0.hasSuffix(".done") }.sorted()
    }

    /// Moves an unreadable manifest aside. Its segments, if they are still there, are compacted again; a file it had
    /// published keeps its name, so nothing is there twice as long as the plan is the same.
    private func quarantine(_ name: String) throws(IOError) {
        try fileSystem.rename("\(layout.wal)/\(name)", to: "\(layout.quarantine)/\(name)")
        try fileSystem.syncDirectory(layout.quarantine)
        try fileSystem.syncDirectory(layout.wal)
    }

    /// Files of a plan that did not reach its commit.
    func sweepStaging() throws(IOError) {
        for name in try fileSystem.list(layout.staging) { try fileSystem.remove("\(layout.staging)/\(name)") }
    }
}
