internal import Configuration
internal import DiskIO
internal import Glibc

/// What this process may do with a path, asked without doing it.
enum Permission {
    /// `errno`, or 0: whether `path` may be read and written, and, a directory, entered.
    static func error(_ path: String, isDirectory: Bool) -> Int32 {
        // SAFETY: the path is a NUL-terminated copy during the call.
        unsafe access(path, R_OK | W_OK | (isDirectory ? X_OK : 0)) == 0 ? 0 : errno
    }

    /// `errno`, or 0.
    static func readError(_ path: String) -> Int32 {
        // SAFETY: the path is a NUL-terminated copy during the call.
        unsafe access(path, R_OK) == 0 ? 0 : errno
    }

    /// Owner and mode, as `uid 0, mode 0755`; nil when nothing is there.
    static func owner(of path: String) -> (uid: UInt32, text: String)? {
        // What cannot be looked at is said by the check that needs it.
        var found = stat()
        // SAFETY: lstat fills the struct; the path is a NUL-terminated copy during the call.
        guard unsafe lstat(path, &found) == 0 else { return nil }
        return (found.st_uid, "uid \(found.st_uid), mode 0\(String(found.st_mode & 0o7777, radix: 8))")
    }
}

extension Doctor {
    private static let fullRatio = StatusInputs.fullRatio

    mutating func checkVolume(_ path: String) {
        guard let root = RealPath.of(path) else { return checkMissingVolume(path, errno) }
        do throws(DiskIO.IOError) {
            guard try fileSystem.status(root)?.isDirectory == true else {
                return diagnosis.add(
                    .volume, .fail, "\(path) is no directory", try: "ls -ld \(path); set database.storage_path")
            }
        } catch {
            return diagnosis.add(.volume, .fail, "\(error)", try: "ls -ld \(path)")
        }
        let layout = VolumeLayout(root: root)
        let directories = [root, layout.wal, layout.staging, layout.outbox, layout.uploaded, layout.quarantine]
        var isWritable = true
        for (entry, isDirectory) in directories.map({ ($0, true) }) + [(layout.volume, false)] {
            let code = Permission.error(entry, isDirectory: isDirectory)
            if code == 0 || (code == ENOENT && entry != root) { continue }
            isWritable = checkDenied(entry, isDirectory: isDirectory, code) && isWritable
        }
        guard isWritable else { return }
        if let kind = Self.fileSystemType(root), kind.hasPrefix("nfs") {
            diagnosis.add(
                .volume, .warn, "\(path) is on \(kind), where neither locks nor syncs are dependable",
                try: "use a volume that one node mounts (ReadWriteOnce)")
        }
        if layout.collectorSocket.utf8.count >= 107 {
            diagnosis.add(
                .volume, .warn, "\(path) is too long for a control socket: czctl cannot ask the services of it",
                try: "set database.storage_path to a path of at most 90 bytes")
        }
        let owner = Permission.owner(of: root).map { "  (\($0.text))" } ?? ""
        diagnosis.add(.volume, .ok, "\(path)  uid \(geteuid()) may write\(owner)")
    }

    /// `ext4`: of the mount that holds `path`.
    private static func fileSystemType(_ path: String) -> String? {
        let table = HostFile.text("/proc/self/mounts") ?? ""
        var found: (place: String, type: String)?
        for line in table.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count > 2 else { continue }
            let place = words[1] == "/" ? "/" : words[1] + "/"
            if (path + "/").hasPrefix(place), place.count >= found?.place.count ?? 0 { found = (place, words[2]) }
        }
        return found?.type
    }

    private mutating func checkMissingVolume(_ path: String, _ code: Int32) {
        guard code == ENOENT else {
            return diagnosis.add(
                .volume, .fail, "cannot reach \(path) as uid \(geteuid()): \(Errno.text(code))", try: "namei -l \(path)"
            )
        }
        guard fixes else {
            return diagnosis.add(
                .volume, .fail, "\(path): there is no such directory",
                try: "mkdir -p \(path), or set database.storage_path, or mount the volume there")
        }
        do throws(DiskIO.IOError) {
            try fileSystem.makeDirectory(path)
            diagnosis.add(.volume, .fixed, "made the directory \(path)")
        } catch {
            diagnosis.add(.volume, .fail, "\(error)", try: "mkdir -p \(path)")
        }
    }

    /// Says who may not write what.
    /// - Returns: whether it was put right.
    private mutating func checkDenied(_ path: String, isDirectory: Bool, _ code: Int32) -> Bool {
        let uid = geteuid()
        if code == EROFS {
            diagnosis.add(
                .volume, .fail, "\(path) is mounted read-only",
                try: "dmesg | tail: a failing device is remounted so; else mount it for writing")
            return false
        }
        let owner = Permission.owner(of: path)
        if fixes, let owner, owner.uid == uid {
            // SAFETY: the path is a NUL-terminated copy during the call.
            if unsafe chmod(path, isDirectory ? 0o700 : 0o600) == 0 {
                diagnosis.add(.volume, .fixed, "\(path) (\(owner.text)) may be written by its owner again")
                return true
            }
        }
        diagnosis.add(
            .volume, .fail,
            "uid \(uid) may not write \(path)\(owner.map { " (\($0.text))" } ?? ""): \(Errno.text(code))",
            try: owner?.uid == uid
                ? "czctl doctor --fix, or chmod u+rw\(isDirectory ? "x" : "") \(path)"
                : "chown -R \(uid) \(path); in Kubernetes: securityContext.fsGroup: \(getegid())")
        return false
    }

    mutating func checkDisk(_ layout: VolumeLayout, _ settings: Settings?) {
        let settings = settings ?? Settings()
        let limits = settings.limits
        let segmentBytes = UInt64(settings.wal.segmentByteLimit) + (1 << 20)
        do throws(DiskIO.IOError) {
            let space = try fileSystem.space(layout.root)
            let held = try fileSystem.status(layout.reserve + "/space")?.allocatedByteCount ?? 0
            let free = space.free + min(held, UInt64(limits.reserveBytes))
            let needed = UInt64(limits.reserveBytes) + segmentBytes
            let text =
                "\(layout.root)  \(HumanText.bytes(space.free)) of \(HumanText.bytes(space.total)) are free"
            guard free >= needed else {
                return diagnosis.add(
                    .disk, .fail,
                    "\(text); the log needs \(HumanText.bytes(needed)): the disk is full, and writes get a 503",
                    try: "czctl purge --uploaded --older-than 0s --data \(layout.root), or enlarge the volume")
            }
            let used = space.total == 0 ? 0 : Double(space.total - min(space.free, space.total)) / Double(space.total)
            diagnosis.add(
                .disk, used >= Self.fullRatio ? .warn : .ok, text,
                try: used >= Self.fullRatio ? "du -xhd1 \(layout.root); enlarge the volume" : nil)
        } catch {
            diagnosis.add(.disk, .fail, "\(error)", try: "df -h \(layout.root)")
        }
    }
}
