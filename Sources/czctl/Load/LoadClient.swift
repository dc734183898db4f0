internal import DiskIO
internal import NIOCore
internal import Ship
internal import Synchronization

/// Posts bodies over a fixed number of connections, and again after 5xx, 429 and lost connections, as Prometheus does.
final class LoadClient: Sendable {
    private let url: WriteURL
    private let group: any EventLoopGroup
    private let clocks: Clocks
    private let retryLimit: Duration
    private let access: WriteAccess
    private let progress = Mutex(LoadReport())

    /// - Parameter retryLimit: how long one body is tried, from its first attempt; zero tries once.
    init(url: WriteURL, access: WriteAccess, group: any EventLoopGroup, clocks: Clocks, retryLimit: Duration) {
        self.access = access
        self.url = url
        self.group = group
        self.clocks = clocks
        self.retryLimit = retryLimit
    }

    /// What was done so far, also while `run` works.
    var report: LoadReport { progress.withLock { $0 } }

    /// Samples and bytes that were sent so far; unlike `report` it copies no histogram.
    var sent: (samples: Int, bytes: Int) { progress.withLock { ($0.samplesSent, $0.bytesSent) } }

    /// Whether a request has had its last answer, and why the last attempt of one had none.
    var waiting: (isAnswered: Bool, trouble: String?) {
        progress.withLock { ($0.requestsWritten + $0.requestsRejected + $0.requestsFailed > 0, $0.trouble) }
    }

    /// Sends what `next` gives until it gives nil, over `connections` at once. Cancelling ends it after the attempts
    /// that are under way. `next` is called from all connections and paces the load by the time it takes.
    func run(connections: Int, next: @escaping @Sendable () async -> WriteBody?) async -> LoadReport {
        let start = clocks.uptime()
        await withTaskGroup(of: Void.self) { workers in
            for worker in 0..<connections {
                workers.addTask { await self.work(worker, next) }
            }
        }
        return progress.withLock { report in
            report.elapsed += clocks.uptime() - start
            return report
        }
    }

    private func work(_ worker: Int, _ next: @Sendable () async -> WriteBody?) async {
        var connection: WriteConnection?
        var jitter = SystemRandomNumberGenerator()
        while !Task.isCancelled, let body = await next() {
            let outcome = await send(body, over: &connection, &jitter)
            progress.withLock { $0.record(outcome, of: body) }
        }
        connection?.close()
    }

    private func send(
        _ body: WriteBody, over connection: inout WriteConnection?, _ jitter: inout some RandomNumberGenerator
    ) async -> SendOutcome {
        let start = clocks.uptime()
        var attempts = 0
        while true {
            attempts += 1
            let began = clocks.uptime()
            let attempt = await post(body, over: &connection)
            let now = clocks.uptime()
            var wait = Self.backoff(afterAttempts: attempts, &jitter)
            let reason: String
            switch attempt {
            case .success(let response):
                if let final = Self.final(response, of: body) {
                    let written = Self.samplesWritten(response, of: body) ?? 0
                    return SendOutcome(
                        result: final, attempts: attempts, latency: now - began, samplesWritten: written)
                }
                if let seconds = response.retryAfter { wait = .seconds(min(max(0, seconds), 60)) }
                reason = "status \(response.status): \(Self.firstLine(response.text))"
            case .failure(let error): reason = WriteConnection.reason(error)
            }
            progress.withLock { $0.trouble = reason }
            guard now - start + wait <= retryLimit, !Task.isCancelled else {
                return SendOutcome(result: .failed(reason), attempts: attempts)
            }
            do { try await clocks.sleep(wait) } catch {
                return SendOutcome(result: .failed("cancelled; last, \(reason)"), attempts: attempts)
            }
        }
    }

    private func post(_ body: WriteBody, over connection: inout WriteConnection?) async -> Result<
        WriteResponse, any Error
    > {
        if let transport = access.transport { return await post(body, through: transport) }
        do {
            let open: WriteConnection
            if let connection {
                open = connection
            } else {
                open = try await WriteConnection.open(url, authorization: access.authorization, group: group)
            }
            connection = open
            var response = try await open.post(body)
            response.text = discreet(response.text)
            if !response.keepsOpen { connection = nil }
            return .success(response)
        } catch {
            connection?.close()
            connection = nil
            return .failure(error)
        }
    }

    /// Words of a server without our secret, which they may repeat.
    private func discreet(_ text: String) -> String {
        guard let secret = access.authorization else { return text }
        let isCut = text.utf8.count >= WriteConnection.textLimit + secret.utf8.count
        let words = text.without(HTTPRequest.secrets(of: secret))
        // Where the text was cut, a secret may have been: its half is shorter than the whole, and at the end.
        return isCut ? String(words.dropLast(secret.utf8.count)) : words
    }

    private func post(_ body: WriteBody, through transport: any HTTPTransport) async -> Result<
        WriteResponse, any Error
    > {
        let headers = WriteConnection.headers(body, authorization: access.authorization)
        let request = HTTPRequest(
            .post, RedactedURL(url.text), headers: headers, body: .bytes(body.bytes), timeout: .seconds(60),
            reach: .withoutProxy)
        do throws(TransportError) {
            let response = try await transport.sendDiscreetly(request)
            func number(_ name: String) -> Int? { response.headers[name].flatMap { Int($0) } }
            return .success(
                WriteResponse(
                    status: response.status,
                    samplesWritten: number("x-prometheus-remote-write-samples-written"),
                    retryAfter: number("retry-after"),
                    text: String(decoding: response.body.prefix(WriteConnection.textLimit), as: UTF8.self),
                    keepsOpen: true))
        } catch {
            return .failure(error)
        }
    }

    /// The verdict of an answer; nil for one that asks for another attempt.
    static func final(_ response: WriteResponse, of body: WriteBody) -> SendOutcome.Result? {
        switch response.status {
        case 200..<300:
            let written = samplesWritten(response, of: body)
            if let sent = body.sampleCount, written != sent {
                return .rejected("status \(response.status), but \(written ?? 0) of \(sent) samples written")
            }
            return .written
        case 429, 500...: return nil
        case 401, 403: return .refused("status \(response.status): \(firstLine(response.text))")
        default: return .rejected("status \(response.status): \(firstLine(response.text))")
        }
    }

    /// By the specification a 2xx without the header means nothing of v2 and all of v1; nil for a file of v1.
    private static func samplesWritten(_ response: WriteResponse, of body: WriteBody) -> Int? {
        guard (200..<300).contains(response.status) else { return response.samplesWritten }
        return response.samplesWritten ?? (body.version == .v2 ? 0 : body.sampleCount)
    }

    /// 50 ms doubling to 5 s, with full jitter.
    private static func backoff(afterAttempts attempts: Int, _ jitter: inout some RandomNumberGenerator) -> Duration {
        let ceiling = min(5000, 50 << min(attempts - 1, 7))
        return .milliseconds(Int.random(in: 1...ceiling, using: &jitter))
    }

    private static func firstLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).first.map { HumanText.line(String($0)) } ?? "no text"
    }
}
