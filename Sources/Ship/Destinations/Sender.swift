/// One destination's way to take files. A row goes through `prepare` with its chunk, then through `send`, perhaps
/// several times. What throws is the ledger's failure: everything else ends in an outcome.
protocol Sender: Sendable {
    var name: String { get }
    /// Rows a chunk.
    var chunk: Int { get }
    /// What is sent is compressed so.
    var compression: UploadCompression? { get }
    /// Gets what the rows need before they can be sent.
    func prepare(_ rows: [Shipment], _ cycle: Cycle) async throws -> PreparedChunk
    /// One attempt with the file at `path`, whose bytes were just found to be `witness`; compressed already.
    func send(_ row: Shipment, path: String, _ witness: FileWitness) async throws -> UploadOutcome
    /// After the last chunk.
    func finish(_ cycle: Cycle) async throws
}

struct PreparedChunk: Sendable {
    /// To be sent now, in this order.
    var ready: [Shipment] = []
    /// Why no further chunk is worth beginning in this cycle.
    var stopReason: ShipFailure?
}
