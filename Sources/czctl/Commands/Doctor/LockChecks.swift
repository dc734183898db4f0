internal import Configuration
internal import DiskIO
internal import Glibc

extension Doctor {
    /// Who holds the volume, and whether the configuration is that one's.
    mutating func checkLocks(_ layout: VolumeLayout, _ settings: Settings?, isGiven: Bool, _ live: [LiveStatus]) {
        let before = diagnosis.findings.count
        var owners: Set<String> = []
        let marker = Permission.readError(layout.collectorShutdownComplete) == 0
        for (lock, socket, collects) in [
            (layout.collectorLock, layout.collectorSocket, true), (layout.shipperLock, layout.shipperSocket, false),
        ] {
            guard let owner = lockOwner(lock) else { continue }
            guard DirectoryLock.isHeld(lock) else {
                if collects, !marker {
                    diagnosis.add(
                        .lock, .warn,
                        "\(lock) was left by \(owner), which was killed: the kernel has let go of it, the next start"
                            + " takes it", try: "nothing: leave the file; czctl run --config FILE")
                }
                continue
            }
            // `czctl run` holds both.
            guard owners.insert(owner).inserted else { continue }
            let holder = live.first { $0.role == "run" || ($0.role != "shipper") == collects }
            checkHolder(owner, lock, socket, holder, isGiven ? settings : nil)
        }
        let original = layout.root + "/.lock"
        if Permission.readError(original) == 0 {
            diagnosis.add(.lock, .ok, "\(original) is the original agent's, and of no meaning here")
        }
        if let name = ProcessEnvironment.variables["HOSTNAME"],
            // A volume without it has none yet.
            let bytes = try? fileSystem.contents(of: layout.shipperID, limit: 300)
        {
            let id = HumanText.line(String(decoding: bytes, as: UTF8.self))
            if id != name {
                diagnosis.add(
                    .lock, .ok, "the upload API knows this volume as \(id), of .shipperid; this host is \(name)")
            }
        }
        if diagnosis.findings.count == before { diagnosis.add(.lock, .ok, "nobody holds the volume") }
    }

    /// What the lock file says of its owner; nil when there is no file, or one that nobody can lock.
    private mutating func lockOwner(_ path: String) -> String? {
        do throws(DiskIO.IOError) {
            let file = try File(path, .write, in: fileSystem)
            let text = String(decoding: try file.read(at: 0, count: Int(min(200, try file.size()))), as: UTF8.self)
            let owner = HumanText.line(text.filter { $0 != "\n" })
            return owner.isEmpty ? "an unnamed process" : owner
        } catch {
            if error.isNotFound { return nil }
            let found = Permission.owner(of: path)
            if fixes, let found, found.uid == geteuid() {
                // SAFETY: the path is a NUL-terminated copy during the call.
                if unsafe chmod(path, 0o600) == 0 {
                    diagnosis.add(.lock, .fixed, "\(path) (\(found.text)) may be locked by its owner again")
                    return lockOwner(path)
                }
            }
            diagnosis.add(
                .lock, .fail,
                "\(path)\(found.map { " (\($0.text))" } ?? "") cannot be locked by uid \(geteuid()):"
                    + " \(Errno.text(error.code)); another user's run left it",
                try: "chown \(geteuid()) \(path)")
            return nil
        }
    }

    private mutating func checkHolder(
        _ owner: String, _ lock: String, _ socket: String, _ live: LiveStatus?, _ settings: Settings?
    ) {
        guard let live else {
            return diagnosis.add(
                .lock, .warn, "\(lock) is held by \(owner), which does not answer at \(socket): it starts, or hangs",
                try: "czctl status; then the log of that process")
        }
        let up = HumanText.duration(milliseconds: Int64(live.uptimeSeconds * 1000))
        if let port = live.port, let wanted = settings.map({ Self.port(of: live.role, $0) }), wanted != port {
            return diagnosis.add(
                .lock, .fail,
                "another instance has this volume: \(owner), up \(up), listens at port \(port), and this configuration"
                    + " says \(wanted); a volume has one collector and one shipper",
                try: "set another database.storage_path, or stop the other: kill \(live.pid)")
        }
        diagnosis.add(.lock, .ok, "\(owner), up \(up), has the volume")
    }

    /// Where a service of this role listens.
    static func port(of role: String, _ settings: Settings) -> Int {
        role == ServiceRole.shipper.rawValue ? settings.server.shipperPort : settings.server.port
    }
}
