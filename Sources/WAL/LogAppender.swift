package import DiskIO

/// Everything the log needs that does not change while it runs.
package struct LogEnvironment: Sendable {
    package let layout: VolumeLayout
    package let fileSystem: any FileSystem
    package let clocks: Clocks
    package let segment: SegmentOptions
    /// Salt of the next segment.
    package let salt: @Sendable () -> UInt64

    package init(
        layout: VolumeLayout, fileSystem: any FileSystem, clocks: Clocks, segment: SegmentOptions,
        salt: @escaping @Sendable () -> UInt64
    ) {
        self.layout = layout
        self.fileSystem = fileSystem
        self.clocks = clocks
        self.segment = segment
        self.salt = salt
    }
}

/// What became of a group.
package enum AppendOutcome: Equatable, Sendable {
    /// On disk.
    case durable
    /// The segment of that epoch takes nothing more: encode again for the next epoch. Nothing of the group counts.
    case poisoned(IOError)
    /// No segment could be opened: answer 503 and try a later epoch.
    case unavailable(IOError)
}

/// The write side of the log, without its thread: rotation, group append, poison (I10).
///
/// An *epoch* is the intake's view of one segment: the batches of an epoch refer to series defined in that epoch, so
/// they live in one segment or are encoded again.
package struct LogAppender: ~Copyable {
    private let environment: LogEnvironment
    private let directory: SegmentDirectory
    private var volume: Volume
    private var writer: SegmentWriter?
    private var epoch: UInt64 = 0
    private var lastEnding: SegmentEnding
    private var nextSegment: SegmentID
    private var needsWitness = false
    /// Why the epoch has no segment.
    private var lastFailure: IOError?

    package init(_ recovered: RecoveredLog, environment: LogEnvironment) {
        self.environment = environment
        directory = SegmentDirectory(environment.layout.wal, in: environment.fileSystem)
        volume = recovered.volume
        lastEnding = recovered.newest
        nextSegment = recovered.nextSegment
    }

    /// The segment that is written now; nil while there is none.
    package private(set) var active: ActiveSegment?

    /// Whether the last group has no later proof yet.
    package var wantsWitness: Bool { needsWitness }

    /// Ends the current segment, if it holds anything, and opens one for `epoch`.
    package mutating func rotate(to epoch: UInt64) throws(IOError) {
        precondition(epoch > self.epoch, "epochs ascend")
        self.epoch = epoch
        if active?.hasRecords == true { endSegment() }
        if writer == nil { try openSegment() }
    }

    /// Writes `records` as one durable group of `epoch`.
    package mutating func append(_ records: [PendingRecord], epoch: UInt64) -> AppendOutcome {
        if epoch > self.epoch {
            do throws(IOError) {
                try rotate(to: epoch)
            } catch {
                lastFailure = error
                return .unavailable(error)
            }
        }
        guard epoch == self.epoch, writer != nil else {
            return .poisoned(lastFailure ?? IOError(.write, environment.layout.wal, code: Errno.inputOutput))
        }
        do throws(IOError) {
            try writer!.append(records)
            active = writer!.facts()
            needsWitness = true
            return .durable
        } catch {
            poison(error)
            return .poisoned(error)
        }
    }

    /// Proves the last group durable. A failure poisons the segment; what it holds is safe.
    package mutating func witness() throws(IOError) {
        guard writer != nil, needsWitness else { return }
        needsWitness = false
        do throws(IOError) {
            try writer!.appendWitness()
        } catch {
            poison(error)
            throw error
        }
    }

    /// Seals the current segment: the last act of a graceful stop.
    package mutating func close() {
        if writer != nil { endSegment() }
    }

    private mutating func endSegment() {
        do throws(IOError) {
            lastEnding = try writer!.seal()
            drop()
        } catch {
            poison(error)  // it ends before the seal that failed
        }
        needsWitness = false
    }

    private mutating func poison(_ error: IOError) {
        lastFailure = error
        lastEnding = writer!.ending(.poisoned)
        drop()
        needsWitness = false
    }

    private mutating func drop() {
        writer = nil
        active = nil
    }

    private mutating func openSegment() throws(IOError) {
        let id = nextSegment
        let isWritten = try environment.fileSystem.exists(environment.layout.volume)
        if id.number >= volume.segmentsBelow || !isWritten {
            let raised = Volume(id: volume.id, segmentsBelow: id.number + Volume.step)
            try raised.write(environment.layout, in: environment.fileSystem)
            volume = raised
        }
        nextSegment = id.next  // an attempt that failed half-way used the id up
        writer = try SegmentWriter(
            after: lastEnding, id: id, options: environment.segment, salt: environment.salt(),
            createdAt: environment.clocks.wallMilliseconds(), directory: directory, in: environment.fileSystem)
        active = writer!.facts()
    }
}
