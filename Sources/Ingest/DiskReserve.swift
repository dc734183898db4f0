package import DiskIO

/// Room on the volume for what must go on when it is full: sealing, compaction, the ledger, uploads.
///
/// While there is room it holds `reserve/space`, a file of preallocated blocks, so that nobody else can take them. When
/// less than a segment would be left beside it, the intake stops and the file is removed: what was accepted can then
/// become files and leave. It opens again, by itself, when the reserve and two segments fit.
package struct DiskReserve: Sendable {
    private let layout: VolumeLayout
    private let fileSystem: any FileSystem
    private let reserveBytes: UInt64
    private let segmentBytes: UInt64
    private var isFull = false
    /// The file system takes the call and sets nothing aside: then only the free space counts.
    private var cannotHold = false
    /// What the last check found, in bytes: free, our reserve among them, and least of it for the intake to be open.
    package private(set) var free: UInt64 = 0
    package private(set) var limit: UInt64 = 0

    /// - Parameter segmentBytes: what the log takes for one segment.
    package init(_ layout: VolumeLayout, reserveBytes: UInt64, segmentBytes: UInt64, in fileSystem: any FileSystem) {
        self.layout = layout
        self.reserveBytes = reserveBytes
        self.segmentBytes = segmentBytes
        self.fileSystem = fileSystem
    }

    private var path: String { layout.reserve + "/space" }

    /// Looks at the volume, and takes or gives up the reserve. Once a second; blocks.
    /// - Returns: why nothing may be accepted; nil when there is room.
    package mutating func check() throws(IOError) -> String? {
        let held = min(try fileSystem.status(path)?.allocatedByteCount ?? 0, reserveBytes)
        let free = try fileSystem.space(layout.root).free + held
        let wanted = reserveBytes + segmentBytes * (isFull ? 2 : 1)
        (self.free, limit) = (free, wanted)
        if free >= wanted {
            do throws(IOError) {
                if held < reserveBytes, !cannotHold { try hold() }
                isFull = false
                return nil
            } catch {
                guard error.isOutOfSpace else { throw error }  // somebody was faster
            }
        }
        isFull = true
        if try fileSystem.exists(path) { try fileSystem.remove(path) }
        return "the disk is full: \(free) bytes are free, \(wanted) are needed "
            + "(limits.reserve_bytes and the next segments); free space on the volume or enlarge it"
    }

    private mutating func hold() throws(IOError) {
        try fileSystem.makeDirectory(layout.reserve)
        if try fileSystem.exists(path) { try fileSystem.remove(path) }
        try File(path, .create, in: fileSystem).reserve(reserveBytes)
        cannotHold = try fileSystem.status(path)?.allocatedByteCount == 0
    }
}
