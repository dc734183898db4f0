internal import Bytes
internal import Configuration
internal import Digest
internal import DiskIO
internal import HTTPServer
internal import Ingest
internal import NIOCore
internal import NIOHTTP1
internal import Samples
internal import Snappy
internal import WAL

/// One request of an agent's file.
struct AgentRequest {
    /// The message, uncompressed.
    let body: [UInt8]
    let rows: Int

    func fingerprint(in volume: VolumeID) -> Hash128 {
        // SAFETY: UInt8 has no padding.
        IngestService.fingerprint(of: unsafe body.span.bytes, source: .v1, volume: volume)
    }
}

/// The requests of a file, one behind the other.
struct AgentRequests {
    private let file: AgentFile
    private let settings: (clusterName: String, cloudAccountID: String)
    private let text: AgentText
    private var rows = AgentRowReader()
    private var chunks: AgentChunks
    private var isAtEnd = false
    private var ready: [AgentRequest] = []

    /// - Parameter identity: the file's SHA-256; while only counting as many other bytes, for they end a request too.
    init(_ file: AgentFile, identity: [UInt8], _ environment: ServiceEnvironment) throws(DiskIO.IOError) {
        self.file = file
        settings = (environment.settings.clusterName, environment.settings.cloudAccountID)
        text = try AgentText(file, in: environment.fileSystem)
        chunks = AgentChunks(identity: identity)
    }

    /// - Throws: `AgentFileError` for a damaged file, or one of another cluster or account.
    mutating func next() throws -> AgentRequest? {
        while ready.isEmpty, !isAtEnd {
            do {
                if let piece = try text.next() {
                    for row in try rows.read(piece) {
                        try checkOrigin(row)
                        if let request = chunks.add(row) { ready.append(request) }
                    }
                } else {
                    try rows.finish()
                    if let request = chunks.end() { ready.append(request) }
                    isAtEnd = true
                }
            } catch let error as AgentTextError {
                throw AgentFileError(path: file.path, cause: error.cause, advice: AgentFileError.copyAgain)
            }
        }
        return ready.isEmpty ? nil : ready.removeFirst()
    }

    /// The SHA-256 of the file, once `next` gave nil.
    func sha256() -> [UInt8] { text.finish() }

    /// Its rows would be billed to whom the configuration names.
    private func checkOrigin(_ row: AgentRow) throws {
        for (key, wanted, found) in [
            ("cluster_name", settings.clusterName, row.clusterName),
            ("cloud_account_id", settings.cloudAccountID, row.cloudAccountID),
        ] where !found.isEmpty && !found.elementsEqual(wanted.utf8) {
            let text = HumanText.line(String(decoding: found, as: UTF8.self), limit: 100)
            throw AgentFileError(
                path: file.path, cause: "it has rows of \(key) \(text), the configuration has \(wanted)",
                advice: "import it with the configuration it was made with")
        }
    }
}

/// Gives rows of the agent's files to a collector's log, each file once.
struct AgentImport {
    /// What one file holds.
    struct Contents {
        let sha256: [UInt8]
        var rows = 0
        var requests = 0
    }

    /// Between two attempts while the volume takes nothing, and how long that may last.
    private static let retryDelay = Duration.milliseconds(200)
    private static let retryLimit = Duration.seconds(60)

    private static let noIdentity = [UInt8](repeating: 0, count: 32)

    let environment: ServiceEnvironment

    /// Reads all of it and gives nothing to the log: a damaged file is left out as a whole.
    /// - Throws: `AgentFileError`.
    func check(_ file: AgentFile) throws -> Contents {
        var requests = try AgentRequests(file, identity: Self.noIdentity, environment)
        var (rows, count) = (0, 0)
        while let request = try requests.next() {
            rows += request.rows
            count += 1
        }
        return Contents(sha256: requests.sha256(), rows: rows, requests: count)
    }

    /// nil when none of it was imported.
    func journal(_ contents: Contents) throws -> ImportJournal? {
        try ImportJournal.Directory(environment.layout, in: environment.fileSystem).read(hex(contents.sha256))
    }

    /// Gives the log what of the file it does not have yet. Interrupted at any instant, the next import goes on there.
    /// - Parameter contents: of `check`.
    func store(
        _ file: AgentFile, _ contents: Contents, _ collector: CollectorRuntime, progress: (Int) -> Void
    ) async throws -> ImportJournal {
        let journals = ImportJournal.Directory(environment.layout, in: environment.fileSystem)
        var journal =
            try journal(contents)
            ?? ImportJournal(
                sha256: hex(contents.sha256), name: file.name, rows: contents.rows, requests: contents.requests)
        var requests = try AgentRequests(file, identity: contents.sha256, environment)
        var index = 0
        while let request = try requests.next() {
            defer { index += 1 }
            if index >= journal.stored {
                journal.handed = request.fingerprint(in: collector.volume)
                try journals.write(journal)
                journal.advance(refused: try await store(request, of: file, collector))
            }
            progress(request.rows)
        }
        guard requests.sha256() == contents.sha256, index == contents.requests else {
            throw AgentFileError(
                path: file.path, cause: "it changed while it was imported",
                advice: "stop what writes to it; rows of the changed file may be in the log")
        }
        try journals.write(journal)
        return journal
    }

    /// Once it returns the request is durable.
    /// - Returns: rows that the limits refused.
    private func store(
        _ request: AgentRequest, of file: AgentFile, _ collector: CollectorRuntime
    ) async throws -> Int {
        // SAFETY: UInt8 has no padding.
        let body = ByteBuffer(bytes: Snappy.compress(unsafe request.body.span.bytes))
        let deadline = environment.clocks.uptime() + Self.retryLimit
        while true {
            let answer = try await collector.service.store(body, source: .v1)
            let written = answer.headers.first(name: "X-Prometheus-Remote-Write-Samples-Written").flatMap { Int($0) }
            if let written { return request.rows - written }
            let reason = answer.body.map { String(buffer: $0) } ?? "\(answer.status)"
            guard answer.status == .serviceUnavailable else {
                throw CommandFailure(
                    .error, "cannot import \(file.path): \(HumanText.line(reason))", try: "czctl doctor")
            }
            guard environment.clocks.uptime() < deadline else {
                throw CommandFailure(
                    .temporary, "cannot import \(file.path) now: \(HumanText.line(reason))",
                    try: "start the service, so that it ships what waits, then repeat; nothing is imported twice")
            }
            try await environment.clocks.sleep(Self.retryDelay)
        }
    }
}
