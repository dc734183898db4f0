internal import Configuration
internal import DiskIO
internal import Ship

/// `czctl verify --remote`.
enum RemoteVerification {
    /// Questions at once.
    private static let width = 8

    /// `czctl.verify-remote/v1`.
    private struct Result: Encodable {
        struct Destination: Encodable {
            let name: String
            /// That the ledger calls uploaded.
            var files = 0
            var same = 0
            var missing = 0
            var different = 0
            var unknown = 0
            /// Why none of it can be asked for.
            var obstacle: String?
        }

        struct Problem: Encodable {
            let destination: String
            let file: String
            let cause: String
        }

        let schema = "czctl.verify-remote/v1"
        var destinations: [Destination] = []
        var problems: [Problem] = []
    }

    static func run(_ target: DataOptions, _ options: OutputOptions) async throws {
        let settings = try target.settings()
        let environment = try ServiceEnvironment(settings: settings, role: "verify", component: .shipper)
        var refusal: String?
        let result: Result?
        do {
            result = try await LedgerCopy.read(environment.layout, environment.fileSystem) {
                ledger throws(ShipError) in
                let rows = try await ledger.list(.states([.uploaded, .purging, .purged]))
                let check = RemoteCheck(
                    options: environment.shipOptions(), layout: environment.layout, fileSystem: environment.fileSystem,
                    clocks: environment.clocks,
                    transport: CurlTransport(
                        userAgent: "cirrus/\(Version.number)", network: environment.networkOptions,
                        fileSystem: environment.fileSystem),
                    ledger: ledger, logger: environment.logger)
                var result = Result()
                for (name, rows) in Dictionary(grouping: rows, by: \.destination).sorted(by: { $0.key < $1.key }) {
                    let refused = await look(at: rows, of: name, check, &result)
                    refusal = refusal ?? refused
                }
                return result
            }
        } catch let error as ShipError {
            throw CommandFailure(error)
        }
        try report(result ?? Result(), refusal: refusal, options)
    }

    /// - Returns: why the destination refuses to answer.
    private static func look(
        at rows: [Shipment], of name: String, _ check: RemoteCheck, _ result: inout Result
    ) async -> String? {
        var destination = Result.Destination(name: name, files: rows.count, obstacle: check.obstacle(name))
        defer { result.destinations.append(destination) }
        guard destination.obstacle == nil else { return nil }
        let progress = Progress("files asked for", total: rows.count)
        defer { progress.end() }
        for start in stride(from: 0, to: rows.count, by: width) {
            let some = rows[start..<min(start + width, rows.count)]
            let findings = await withTaskGroup(of: (Int, RemoteFinding).self) { group in
                for (index, row) in some.enumerated() {
                    group.addTask { (index, await check.look(at: row)) }
                }
                var findings = [RemoteFinding](repeating: .same, count: some.count)
                for await (index, finding) in group { findings[index] = finding }
                return findings
            }
            progress.add(some.count)
            for (row, finding) in zip(some, findings) {
                let cause: String
                switch finding {
                case .same:
                    destination.same += 1
                    continue
                case .missing(let text):
                    destination.missing += 1
                    cause = "missing: \(text)"
                case .differs(let text):
                    destination.different += 1
                    cause = "another: \(text)"
                case .unknown(let text):
                    destination.unknown += 1
                    cause = "not known: \(text)"
                case .refused(let text):
                    destination.unknown = rows.count - destination.same - destination.missing - destination.different
                    destination.obstacle = text
                    return "\(name): \(text)"
                }
                result.problems.append(.init(destination: name, file: row.file, cause: HumanText.line(cause)))
            }
        }
        return nil
    }

    private static func report(_ result: Result, refusal: String?, _ options: OutputOptions) throws {
        switch options.output {
        case .json: print(try options.encoded(result))
        case .table:
            for problem in result.problems { print("\(problem.destination)  \(problem.file)  \(problem.cause)") }
            for one in result.destinations {
                let counts =
                    "\(one.same) of \(one.files) files are there as the ledger has them; \(one.missing) missing,"
                    + " \(one.different) other, \(one.unknown) not known"
                let obstacle = one.obstacle.map { "not checked, \(one.files) files: \(HumanText.line($0))" }
                print("\(one.name)  \(obstacle ?? counts)")
            }
            if result.destinations.isEmpty { print("nothing was shipped yet") }
        }
        let wrong = result.destinations.reduce(0) { $0 + $1.missing + $1.different }
        guard wrong == 0 else {
            throw CommandFailure(
                .damage, "\(wrong) files are not at their destination as they were shipped",
                try: "czctl retry FILE sends one again whose copy is in uploaded/")
        }
        if let refusal { throw CommandFailure(.refused, "cannot ask \(refusal)", try: "czctl doctor") }
        let unknown = result.destinations.reduce(0) { $0 + $1.unknown }
        guard unknown == 0 else {
            throw CommandFailure(.partial, "\(unknown) files could not be asked for", try: "the same command later")
        }
    }
}
