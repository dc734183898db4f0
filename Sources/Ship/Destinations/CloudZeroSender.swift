internal import DiskIO
internal import Logging
internal import Metrics
internal import Synchronization

/// The upload API as a destination: presigned URLs in chunks, PUT, replays and abandon calls (contract.md §1).
struct CloudZeroSender: Sender {
    let context: ShipContext
    let api: UploadAPI
    private let quiet = QuietTime()

    init(context: ShipContext, api: UploadAPI) {
        self.context = context
        self.api = api
    }

    /// The reference id is the key, and the readers at its other end expect Parquet.
    let compression: UploadCompression? = nil

    var name: String { api.options.name }
    var chunk: Int { api.options.allocateChunk }

    /// Of a URL that does not say when it ends: used soon or not at all.
    private static let unknownValidityMilliseconds: Int64 = 300_000
    /// Ids an abandon call names.
    private static let abandonLimit = 200

    private var hostRule: UploadHostRule {
        UploadHostRule(patterns: api.options.uploadHosts, allowsHTTP: api.options.useHTTP)
    }

    func prepare(_ rows: [Shipment], _ cycle: Cycle) async throws -> PreparedChunk {
        var prepared = PreparedChunk(ready: rows.filter { hasUsableURL($0) })
        let needing = rows.filter { !hasUsableURL($0) }.map(withDigest)
        guard !needing.isEmpty, !quiet.holds(at: context.clocks.uptime()) else { return prepared }
        do {
            guard let response = try await call(cycle, { () throws(ShipFailure) in try api.allocate(needing) }) else {
                return prepared
            }
            prepared.ready += try await store(response, for: needing)
            try await replay(response, into: &prepared)
        } catch let failure as ShipFailure {
            context.metrics.presignedURLErrors.count(failure.code)
            context.report(failure, "cannot allocate uploads", destination: name)
            // The cycle is the pace of calls that fail as a whole: the rows themselves have nothing to wait for.
            try await context.ledger.fail(needing, failure, notBeforeMilliseconds: context.now, at: context.now)
            prepared.stopReason = failure
        }
        return prepared
    }

    /// With the SHA-256 that the allocate call shall name. A file that cannot be read now is judged when it is sent.
    private func withDigest(_ row: Shipment) -> Shipment {
        guard api.options.sendsDigests, row.sha256 == nil else { return row }
        var row = row
        let outbox = Outbox(layout: context.layout, fileSystem: context.fileSystem)
        do throws(IOError) {
            guard let path = try outbox.locate(row.file) else { return row }
            row.sha256 = try FileWitness.read(path, in: context.fileSystem).sha256
        } catch {
            return row
        }
        return row
    }

    func send(_ row: Shipment, path: String, _ witness: FileWitness) async throws -> UploadOutcome {
        guard let url = row.url else {
            return .failed(ShipFailure(.noURLs, "there is no presigned URL"), dropsURL: true)
        }
        let outcome = await put(url, path, witness)
        guard case .expired(let failure) = outcome else { return outcome }
        context.metrics.presignedURLErrors.count(failure.code)
        // Once: a URL that is dead on arrival means a wrong clock or server, and is the next cycle's matter.
        guard let fresh = try await reallocate(row) else { return .failed(failure, dropsURL: true) }
        let second = await put(fresh, path, witness)
        if case .expired(let failure) = second { return .failed(failure, dropsURL: true) }
        return second
    }

    private func put(_ url: RedactedURL, _ path: String, _ witness: FileWitness) async -> UploadOutcome {
        let place: URLPlace
        do throws(RefusedURL) { place = try URLPlace(url.text) } catch {
            return .failed(ShipFailure(.noURLs, error.description), dropsURL: true)
        }
        // No header of ours: whatever the signature does not cover may be refused.
        let request = HTTPRequest(
            .put, url, headers: [], body: .file(path: path, byteCount: witness.byteCount, digest: witness.sha256),
            timeout: context.options.attemptTimeout,
            reach: hostRule.allowsPrivateAddresses(place) ? .anywhere : .publicAddresses)
        let result = await context.send(request)
        return AnswerRules.put(result, host: place.host, md5: witness.md5, now: context.now)
    }

    /// A new URL for a row whose own has expired; nil when there is none now.
    private func reallocate(_ row: Shipment) async throws -> RedactedURL? {
        do {
            let result = await context.send(try api.allocate([row]))
            guard case .accepted = AnswerRules.call(result, host: api.hostName, now: context.now) else { return nil }
            let response = try result.get()
            guard let text = try UploadAPI.allocation(response.body)[row.file] else { return nil }
            let (url, expires) = try presigned(text, response)
            noteObject(of: row, url)
            try await context.ledger.move(
                row.file, name, from: .uploading, to: .uploading, at: context.now,
                .url(url, expiresMilliseconds: expires), detail: "fresh URL \(url)")
            return url
        } catch let failure as ShipFailure {
            context.report(failure, "cannot allocate \(row.file) again", destination: name)
            return nil
        }
    }

    private func hasUsableURL(_ row: Shipment) -> Bool {
        guard let url = row.url, let expires = row.urlExpiresMilliseconds else { return false }
        let margin = Int64(api.options.presignMargin / .milliseconds(1))
        guard expires - margin > context.now else { return false }
        // The rule is asked again: the configuration may have changed since the URL was stored.
        do throws(RefusedURL) { _ = try PresignedURL(url.text, allowedBy: hostRule) } catch { return false }
        return true
    }

    /// The URL and when it ends, by our clock. The signer's clock is the server's: `Date` tells how far ours is off.
    func presigned(
        _ text: String, _ response: HTTPResponse
    ) throws(ShipFailure) -> (url: RedactedURL, expires: Int64) {
        let presigned: PresignedURL
        do throws(RefusedURL) { presigned = try PresignedURL(text, allowedBy: hostRule) } catch {
            throw ShipFailure(.noURLs, "the upload API gave a URL that is not contacted: \(error)")
        }
        let now = context.now
        guard let expires = presigned.expiresMilliseconds else {
            return (presigned.url, now + Self.unknownValidityMilliseconds)
        }
        let server = response.headers["date"].flatMap { UTCTime.milliseconds(httpDate: $0) } ?? now
        return (presigned.url, expires - (server - now))
    }

    /// Stores the URLs of an allocate answer. Ids that were not asked for are ignored, rows without a URL wait.
    /// - Throws: `ShipFailure` when the answer is not a map.
    private func store(_ response: HTTPResponse, for rows: [Shipment]) async throws -> [Shipment] {
        var urls = try UploadAPI.allocation(response.body)
        let uses = Dictionary(grouping: urls.values) { RedactedURL($0).withoutQuery }
        var allocated: [(row: Shipment, url: RedactedURL, expiresMilliseconds: Int64)] = []
        for row in rows {
            guard let text = urls.removeValue(forKey: row.file) else { continue }
            do throws(ShipFailure) {
                let (url, expires) = try presigned(text, response)
                guard uses[url.withoutQuery]?.count == 1 else {
                    throw ShipFailure(.noURLs, "the upload API gave one object for several files: \(url)")
                }
                noteObject(of: row, url)
                allocated.append((row, url, expires))
            } catch {
                context.metrics.presignedURLErrors.count(error.code)
                context.report(error, "cannot use the URL of \(row.file)", destination: name)
                try await context.ledger.fail([row], error, notBeforeMilliseconds: context.now, at: context.now)
            }
        }
        if !urls.isEmpty {
            context.logger.warning(
                "the upload API answered for files that were not asked for",
                metadata: ["destination": "\(name)", "count": "\(urls.count)"])
        }
        if allocated.isEmpty {
            let failure = ShipFailure(.noURLs, "the upload API gave no URL for \(rows.count) files")
            context.metrics.presignedURLErrors.count(failure.code)
            try await context.ledger.note(failure, of: name, at: context.now)
        }
        return try await context.ledger.allocate(allocated, at: context.now)
    }

    /// The same reference id has to be the same object each time: an attempt whose answer was lost may have stored it.
    /// Where the server names another, that a file is one object rests on the server; it is said and counted.
    func noteObject(of row: Shipment, _ url: RedactedURL) {
        guard let known = row.objectURL, known != url.withoutQuery else { return }
        context.metrics.movedObjects.add()
        context.logger.warning(
            "the upload API gave another object for a file that it was asked about before",
            metadata: ["file": "\(row.file)", "before": "\(known)", "now": "\(url.withoutQuery)"])
    }

    func finish(_ cycle: Cycle) async throws {
        let waiting = try await context.ledger.abandonments(name, limit: Self.abandonLimit)
        guard !waiting.isEmpty, context.mayBegin(cycle.start) else { return }
        do {
            guard try await call(cycle, { () throws(ShipFailure) in try api.abandon(waiting) }) != nil else { return }
            context.metrics.replayAbandoned.add(waiting.count)
            try await context.ledger.removeAbandonments(waiting, name, at: context.now)
        } catch let failure as ShipFailure {
            // They stay in the ledger for the next cycle.
            context.metrics.replayAbandonErrors.count(failure.code)
            context.report(failure, "cannot abandon \(waiting.count) files", destination: name)
        }
    }

    /// Calls the API until it accepts, refuses, or the retries or the cycle end.
    /// - Returns: nil when we stopped.
    /// - Throws: `ShipFailure`.
    private func call(
        _ cycle: Cycle, _ request: () throws(ShipFailure) -> HTTPRequest
    ) async throws(ShipFailure) -> HTTPResponse? {
        var failures = 0
        while true {
            let result = await context.send(try request())
            switch AnswerRules.call(result, host: api.hostName, now: context.now) {
            case .accepted:
                if case .success(let response) = result { return response }
                return nil
            case .refused(let failure): throw failure
            case .interrupted: return nil
            case .again(let failure, let after):
                if let after { quiet.last(until: context.clocks.uptime() + after) }
                failures += 1
                guard failures <= context.options.maxRetries else { throw failure }
                let wait = after ?? context.retryPolicy.delay(after: failures, fraction: context.jitter.fraction())
                guard await context.pause(wait, cycle.start) else { throw failure }
            }
        }
    }
}

/// Until when the server asked not to be called (`Retry-After`), whichever cycle that is in.
private final class QuietTime: Sendable {
    /// Uptime.
    private let end = Mutex(Duration.zero)

    func holds(at now: Duration) -> Bool { end.withLock { now < $0 } }
    func last(until time: Duration) { end.withLock { $0 = max($0, time) } }
}
