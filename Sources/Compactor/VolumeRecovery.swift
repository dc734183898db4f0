package import Bytes
package import DiskIO
package import Samples
package import WAL

/// A volume as it was found at start, with every interrupted publication finished.
package struct RecoveredVolume: Sendable {
    package let log: RecoveredLog
    /// Requests that a retransmit may repeat, oldest first.
    package let known: [(fingerprint: Hash128, answer: BatchAnswer)]
    /// Manifests that could not be read; they are in `quarantine/`.
    package let damagedManifests: [String]

    /// Manifests first, then segments, then `staging/` (design.md §3). Makes no difference to what is there when it
    /// runs again.
    /// - Parameters:
    ///   - window: `dedup.window`.
    ///   - newVolume: identity for a volume that has none.
    package init(
        _ layout: VolumeLayout, in fileSystem: any FileSystem, clocks: Clocks, window: Duration, newVolume: VolumeID
    ) throws {
        let manifests = try Publication(layout, in: fileSystem).recover(
            now: clocks.wallMilliseconds(), window: window.milliseconds)
        var known = manifests.requests.map { (fingerprint: $0.fingerprint, answer: $0.answer) }
        // As `BatchAnswer.keptTextByteLimit` says. Answers of manifests have no reasons.
        var (firstExplained, textByteCount) = (known.count, 0)
        var inflated: [UInt8] = []
        log = try Recovery(layout, in: fileSystem).run(retired: manifests.retired, newVolume: newVolume) { _, record in
            do throws(BatchError) {
                let header = try BatchHeader(
                    payload: record.payload, isCompressed: record.isCompressed, inflated: &inflated)
                known.append((header.fingerprint, header.answer))
                textByteCount += header.answer.text.utf8.count
                while textByteCount > BatchAnswer.keptTextByteLimit {
                    textByteCount -= known[firstExplained].answer.text.utf8.count
                    known[firstExplained].answer = known[firstExplained].answer.withoutReasons
                    firstExplained += 1
                }
            } catch {
                // A batch of another program version: the compaction that meets it reports it.
            }
        }
        self.known = known
        damagedManifests = manifests.damaged
    }
}
