internal import DiskIO
internal import Logging
internal import Metrics
internal import Parquet

extension CloudZeroSender {
    /// Adds the files that the server asks for again, by exact name, to those that are sent now; ids of files that are
    /// gone go to the next abandon call. What is wrong with the header or one wish stops nothing else.
    func replay(_ response: HTTPResponse, into prepared: inout PreparedChunk) async throws {
        guard let header = response.headers["x-cloudzero-replay"], !header.isEmpty else { return }
        guard let requests = ReplayRequest.list(header) else {
            context.metrics.replayErrors.count(.invalidBody)
            context.logger.warning("the replay header is not what it should be", metadata: ["destination": "\(name)"])
            return
        }
        context.metrics.replayRequests.add(requests.isEmpty ? 0 : 1)
        context.metrics.replayFiles.add(requests.count)
        var missing: [Abandonment] = []
        for request in requests {
            do {
                let known = try await context.ledger.row(request.referenceID, name)
                // An operator's to decide: that a file cannot be had is said for good.
                if [.abandoned, .quarantined].contains(known?.state) { continue }
                guard let row = known, try isHere(row.file) else {
                    missing.append(
                        Abandonment(referenceID: request.referenceID, reason: "failed to find this file locally"))
                    continue
                }
                guard row.state.isUnsent || row.state == .uploaded else { continue }
                guard let again = try await askedAgain(row, request, response) else { continue }
                prepared.ready.removeAll { $0.file == again.file }
                prepared.ready.append(again)
            } catch let failure as ShipFailure {
                context.metrics.replayErrors.count(failure.code)
                context.report(failure, "cannot replay \(request.referenceID)", destination: name)
            }
        }
        try await context.ledger.addAbandonments(missing, name, at: context.now)
    }

    /// The row with the server's URL stored; nil when the server gave none: then the next allocate call asks for it.
    private func askedAgain(
        _ row: Shipment, _ request: ReplayRequest, _ response: HTTPResponse
    ) async throws -> Shipment? {
        guard !request.url.isEmpty else {
            if row.state == .uploaded {
                let move = LedgerMove(row, to: .discovered, .none, "replay asked")
                _ = try await context.ledger.apply([move], at: context.now)
            }
            return nil
        }
        let (url, expires) = try presigned(request.url, response)
        noteObject(of: row, url)
        return try await context.ledger.allocate([(row, url, expires)], at: context.now).first
    }

    private func isHere(_ file: String) throws(ShipFailure) -> Bool {
        // A row's name is of the grammar already; this keeps a path from ever being made of anything else.
        guard ReferenceID(file) != nil else { return false }
        do throws(IOError) {
            for folder in [context.layout.outbox, context.layout.uploaded]
            where try context.fileSystem.exists("\(folder)/\(file)") { return true }
            return false
        } catch {
            throw ShipFailure(.fileRead, "\(error)")
        }
    }
}
