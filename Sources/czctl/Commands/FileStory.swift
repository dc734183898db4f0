internal import DiskIO
internal import Parquet
internal import Ship
internal import WAL

/// Everything that is known of one file, from the log to its destinations: `czctl.file/v1`.
struct FileStory: Encodable, Sendable {
    struct Receipt: Encodable, Sendable {
        /// Of HTTP; 0 for a directory, which answers nothing.
        let status: Int
        let etag: String?
        let requestId: String?
        let serverDate: String?
    }

    struct Move: Encodable, Sendable {
        let at: String
        let from: String?
        let to: String
        let detail: String
    }

    struct Delivery: Encodable, Sendable {
        let destination: String
        let state: FileState
        let attempts: Int
        let nextTryAt: String?
        let discoveredAt: String
        let uploadedAt: String?
        let lastError: StatusReport.Failure?
        let receipt: Receipt?
        /// Oldest first.
        let history: [Move]
    }

    /// The manifest of its plan, while that is remembered.
    struct Plan: Encodable, Sendable {
        let manifest: String
        let files: [String]
        let requests: Int
        /// By what became of them.
        let rows: [String: Int]
    }

    let schema = "czctl.file/v1"
    let id: String
    let kind: String
    let firstSampleAt: String
    let lastSampleAt: String
    /// Where it is below its destination.
    let partition: String
    /// nil when no local copy is left.
    private(set) var path: String?
    private(set) var bytes: Int64?
    private(set) var rows: Int64?
    private(set) var sha256: String?
    /// Of the log, `<first>-<last>`.
    private(set) var segments: String?
    private(set) var volume: String?
    /// Why the local copy's footer cannot be read.
    private(set) var damage: String?
    private(set) var plan: Plan?
    private(set) var deliveries: [Delivery] = []

    /// nil when nobody knows the file.
    static func read(_ id: String, _ layout: VolumeLayout, _ fileSystem: any FileSystem) async throws -> FileStory? {
        guard let name = ReferenceID(id) else { return nil }
        var story = FileStory(name)
        try story.readCopy(layout, fileSystem)
        story.plan = try plan(of: id, layout, fileSystem)
        if let plan = story.plan, story.rows == nil {
            let log = try LogSurvey(layout, in: fileSystem, live: nil)
            story.rows = (log.committed + log.done).flatMap(\.files).first { $0.name == id }.map { Int64($0.rows) }
            story.segments = story.segments ?? plan.segments
        }
        try await story.readLedger(layout, fileSystem)
        return story.path == nil && story.plan == nil && story.deliveries.isEmpty ? nil : story
    }

    private init(_ name: ReferenceID) {
        id = name.description
        kind = name.kind.rawValue
        firstSampleAt = HumanText.time(name.minSampleMilliseconds)
        lastSampleAt = HumanText.time(name.maxSampleMilliseconds)
        partition = name.hivePartition
    }

    private mutating func readCopy(_ layout: VolumeLayout, _ fileSystem: any FileSystem) throws {
        for folder in [layout.outbox, layout.uploaded, layout.abandoned, layout.quarantine, layout.staging] {
            let place = "\(folder)/\(id)"
            guard let status = try fileSystem.status(place) else { continue }
            path = place
            bytes = Int64(clamping: status.byteCount)
            do {
                let metadata = try ParquetFile(source: try OpenedFile(place, in: fileSystem)).metadata
                rows = Int64(metadata.rowCount)
                segments = metadata["cirrus.segments"]
                volume = metadata["cirrus.volume"]
            } catch let error as ParquetError {
                damage = "\(error)"
            }
            return
        }
    }

    static func plan(of file: String, _ layout: VolumeLayout, _ fileSystem: any FileSystem) throws -> Plan? {
        let log = try LogSurvey(layout, in: fileSystem, live: nil)
        for (manifests, suffix) in [(log.committed, "commit"), (log.done, "done")] {
            guard let found = manifests.first(where: { $0.files.contains { $0.name == file } }) else { continue }
            return Plan(found, suffix: suffix)
        }
        return nil
    }

    private struct Rows: Sendable {
        let rows: [Shipment]
        let histories: [[HistoryEntry]]
    }

    private mutating func readLedger(_ layout: VolumeLayout, _ fileSystem: any FileSystem) async throws {
        let id = id
        let found = try await LedgerCopy.read(layout, fileSystem) { ledger throws(ShipError) in
            var histories: [[HistoryEntry]] = []
            let rows = try await ledger.rows(of: id)
            for row in rows { histories.append(try await ledger.history(row.file, row.destination)) }
            return Rows(rows: rows, histories: histories)
        }
        guard let found else { return }
        for (row, history) in zip(found.rows, found.histories) {
            bytes = bytes ?? row.byteCount
            rows = rows ?? row.rowCount
            sha256 = sha256 ?? row.sha256
            deliveries.append(Delivery(row, history))
        }
    }
}

extension FileStory.Plan {
    init(_ manifest: ManifestCounts, suffix: String) {
        let ids = manifest.segments
        let (first, last) = (ids.first ?? SegmentID(0), ids.last ?? SegmentID(0))
        self.init(
            manifest: "\(SegmentDirectory.digits(first))-\(SegmentDirectory.digits(last)).\(suffix)",
            files: manifest.files.map(\.name), requests: manifest.requests, rows: manifest.rows)
    }

    /// `<first>-<last>`, as footers say it.
    var segments: String {
        let parts = manifest.split(separator: ".")[0].split(separator: "-").compactMap { UInt64($0) }
        return parts.map(String.init).joined(separator: "-")
    }
}

extension FileStory.Delivery {
    init(_ row: Shipment, _ history: [HistoryEntry]) {
        destination = row.destination
        state = FileState(row.state)
        attempts = row.attempts
        nextTryAt = row.state == .failed ? HumanText.time(row.notBeforeMilliseconds) : nil
        discoveredAt = HumanText.time(row.discoveredMilliseconds)
        uploadedAt = row.uploadedMilliseconds.map(HumanText.time)
        lastError = row.lastError.map {
            StatusReport.Failure(at: HumanText.time($0.atMilliseconds), code: $0.code, text: $0.text)
        }
        receipt = row.receipt.map {
            FileStory.Receipt(status: $0.status, etag: $0.etag, requestId: $0.requestID, serverDate: $0.serverDate)
        }
        self.history = history.map {
            FileStory.Move(at: HumanText.time($0.atMilliseconds), from: $0.from, to: $0.to, detail: $0.detail)
        }
    }
}

extension FileStory {
    var text: String {
        var lines = [id]
        func add(_ title: String, _ value: String?) {
            guard let value else { return }
            lines.append("  " + title + String(repeating: " ", count: max(1, 12 - title.count)) + HumanText.line(value))
        }
        add("samples", "\(firstSampleAt) to \(lastSampleAt)")
        add("rows", rows.map { HumanText.grouped($0) })
        add("size", bytes.map { HumanText.bytes($0) })
        add("sha256", sha256)
        add("here", path ?? "no local copy is left")
        add("damage", damage)
        add("to", partition)
        add("from", segments.map { "segments \($0)" + (volume.map { " of volume \($0)" } ?? "") })
        if let plan {
            let counts = plan.rows.sorted { $0.key < $1.key }.map { "\($0.key) \(HumanText.grouped($0.value))" }
            add("plan", "\(plan.manifest): \(plan.requests) requests; rows: \(counts.joined(separator: ", "))")
        }
        if deliveries.isEmpty { add("ledger", "the shipper has not seen it yet") }
        for delivery in deliveries {
            add(delivery.destination, "\(delivery.state.rawValue), \(delivery.attempts) tries")
            add("  next try", delivery.nextTryAt)
            add("  error", delivery.lastError.map { "\($0.at) \($0.code): \($0.text)" })
            add("  receipt", delivery.receipt.map(Self.text))
            for move in delivery.history {
                add("  \(move.to)", "\(move.at)  \(move.detail)")
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func text(_ receipt: Receipt) -> String {
        if receipt.status == 0 { return "copied" }
        return ["\(receipt.status)", receipt.etag, receipt.requestId, receipt.serverDate].compactMap(\.self)
            .joined(separator: "  ")
    }
}
