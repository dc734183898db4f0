/// Rows in the order they may be tried. A row that failed comes back behind those that were not tried, and
/// not before its time: bad files do not hold up good ones.
package struct UploadQueue {
    package struct Entry: Equatable {
        package var row: Shipment
        /// Failures in this cycle.
        package var failures = 0
        /// The last of them, and what the server asked to wait.
        package var failure: ShipFailure?
        package var asked: Duration?
        /// Uptime; nil: at once.
        package var readyAt: Duration?
    }

    private var fresh: [Entry] = []
    private var waiting: [Entry] = []

    package init(_ rows: [Shipment]) { add(rows) }

    /// Behind those that were not tried yet.
    package mutating func add(_ rows: [Shipment]) { fresh = rows.reversed().map { Entry(row: $0) } + fresh }

    package var hasNoFresh: Bool { fresh.isEmpty }

    /// The next entry that may be tried at `now`.
    package mutating func next(at now: Duration) -> Entry? {
        if let entry = fresh.popLast() { return entry }
        guard let index = earliest, let readyAt = waiting[index].readyAt, readyAt <= now else { return nil }
        return waiting.remove(at: index)
    }

    package mutating func wait(_ entry: Entry) { waiting.append(entry) }

    /// When the next waiting entry may be tried; nil without one.
    package var nextReadyAt: Duration? { earliest.flatMap { waiting[$0].readyAt } }

    /// What was tried and is not done; rows that were never tried need no word.
    package var unfinished: [Entry] { waiting }

    private var earliest: Int? {
        waiting.indices.min { (waiting[$0].readyAt ?? .zero) < (waiting[$1].readyAt ?? .zero) }
    }
}
