package import DiskIO
package import WAL

/// What the manifests at start say.
package struct RecoveredManifests: Sendable {
    /// Requests of the last `dedup.window`, oldest first.
    package var requests: [Manifest.Request] = []
    /// Highest segment id that any manifest names.
    package var highestSegment = SegmentID(0)
    /// Manifests that could not be read; copies are in `quarantine/`.
    package var damaged: [String] = []
    /// Files named by `.commit` and `.done` manifests.
    package var rows = 0
}

/// The steps of the commit protocol after the files are verified, each repeatable (design.md §3, I7).
package struct Publication {
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
        try fileSystem.publish(manifest.encode(), at: path(manifest, "commit"))
    }

    /// Moves the files to `outbox/`, then removes the segments, then marks the manifest done. Runs again after a crash
    /// at any step: each file exists once.
    func publish(_ manifest: Manifest) throws(IOError) {
        for file in manifest.files { try move(file.name) }
        try fileSystem.syncDirectory(layout.outbox)
        try fileSystem.syncDirectory(layout.staging)
        for segment in manifest.segments { try retire(segment) }
        try fileSystem.syncDirectory(layout.wal)
        try fileSystem.rename(path(manifest, "commit"), to: path(manifest, "done"))
        try fileSystem.syncDirectory(layout.wal)
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
        let path = directory.path(of: segment.id)
        guard try fileSystem.exists(path) else { return }
        if segment.isKept {
            try fileSystem.rename(path, to: "\(layout.wal)/\(SegmentDirectory.digits(segment.id)).kept")
        } else {
            try fileSystem.remove(path)
        }
    }

    // MARK: At start

    /// Finishes every plan that was committed, and removes what no plan committed. Before the segments are read.
    /// - Parameter doneBefore: `.done` manifests whose last request is older (milliseconds since 1970) are removed.
    package func recover(doneBefore: Int64) throws(IOError) -> RecoveredManifests {
        var recovered = RecoveredManifests()
        for name in try fileSystem.list(layout.wal) {
            let isCommitted = name.hasSuffix(".commit")
            guard isCommitted || name.hasSuffix(".done") else { continue }
            let path = "\(layout.wal)/\(name)"
            guard let manifest = Manifest.decode(try fileSystem.contents(of: path, limit: 256 << 20)) else {
                try quarantine(name)
                recovered.damaged.append(name)
                continue
            }
            recovered.highestSegment = max(recovered.highestSegment, manifest.last)
            if isCommitted { try publish(manifest) }
            let newest = manifest.requests.map(\.receivedAt).max() ?? .min
            if !isCommitted, newest < doneBefore {
                try fileSystem.remove(path)
            } else {
                recovered.requests += manifest.requests.filter { $0.receivedAt >= doneBefore }
                recovered.rows += manifest.files.reduce(0) { $0 + $1.rows }
            }
        }
        if recovered.damaged.isEmpty { try sweepStaging() }
        return recovered
    }

    /// Finishes plans that were committed and then met a failing disk. Before a plan is chosen: their segments may
    /// still be there, and in another plan their rows would get other names and be shipped twice.
    func finishCommitted() throws {
        for name in try fileSystem.list(layout.wal) where name.hasSuffix(".commit") {
            let bytes = try fileSystem.contents(of: "\(layout.wal)/\(name)", limit: 256 << 20)
            guard let manifest = Manifest.decode(bytes) else {
                throw CompactorError(reason: .manifest(name: name, detail: "neither copy is whole"))
            }
            try publish(manifest)
        }
    }

    /// Removes `.done` manifests that answer no retransmit any more.
    func expire(doneBefore: Int64) throws(IOError) {
        for name in try fileSystem.list(layout.wal) where name.hasSuffix(".done") {
            let path = "\(layout.wal)/\(name)"
            guard let manifest = Manifest.decode(try fileSystem.contents(of: path, limit: 256 << 20)),
                (manifest.requests.map(\.receivedAt).max() ?? .min) < doneBefore
            else { continue }
            try fileSystem.remove(path)
        }
    }

    /// Moves an unreadable manifest aside. Its segments, if they are still there, are compacted again; a file it had
    /// published keeps its name, so nothing is there twice as long as the plan is the same.
    private func quarantine(_ name: String) throws(IOError) {
        try fileSystem.rename("\(layout.wal)/\(name)", to: "\(layout.quarantine)/\(name)")
        try fileSystem.syncDirectory(layout.quarantine)
        try fileSystem.syncDirectory(layout.wal)
    }

    /// Files of a plan that did not reach its commit.
    private func sweepStaging() throws(IOError) {
        for name in try fileSystem.list(layout.staging) { try fileSystem.remove("\(layout.staging)/\(name)") }
    }
}
