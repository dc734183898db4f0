package import DiskIO
package import Logging
internal import Metrics
internal import Parquet

/// What a destination has of a file that the ledger calls uploaded there.
package enum RemoteFinding: Sendable, Equatable {
    case same
    case missing(String)
    case differs(String)
    /// It could not be asked, or its answer says nothing.
    case unknown(String)
    /// It answers nothing: its keys, bucket or region are not right.
    case refused(String)
}

/// Asks destinations for what they were given, and changes nothing there.
package struct RemoteCheck: Sendable {
    private let context: ShipContext
    private let senders: [String: any Sender]

    /// - Parameter ledger: a copy will do.
    package init(
        options: ShipOptions, layout: VolumeLayout, fileSystem: any FileSystem, clocks: Clocks,
        transport: any HTTPTransport, ledger: Ledger, logger: Logger
    ) {
        // The registry is shown to nobody.
        let metrics = ShipMetrics(MetricsRegistry(), destinations: options.destinations, wallSeconds: { 0 })
        let context = ShipContext(
            options: options, layout: layout, fileSystem: fileSystem, clocks: clocks, transport: transport,
            jitter: .system, metrics: metrics, logger: logger, ledger: ledger, shipperID: "", stop: Signal())
        self.context = context
        senders = Dictionary(
            uniqueKeysWithValues: options.destinations.map { ($0.name, ShipService.sender($0, context)) })
    }

    /// Why a destination cannot be asked at all; nil when it can.
    package func obstacle(_ destination: String) -> String? {
        switch senders[destination] {
        case nil: "it is not configured any more"
        case is CloudZeroSender:
            "files go there through presigned URLs, which end, and its API has no call that shows what it has"
        default: nil
        }
    }

    /// - Parameter row: `uploaded`, or purged since.
    package func look(at row: Shipment) async -> RemoteFinding {
        guard let id = ReferenceID(row.file) else { return .unknown("\(row.file) is not a reference id") }
        switch senders[row.destination] {
        case let sender as DirectorySender: return sender.look(at: row, id)
        case let sender as S3Sender: return await sender.look(at: row, id)
        default: return .unknown(obstacle(row.destination) ?? "")
        }
    }
}

extension DirectorySender {
    fileprivate func look(at row: Shipment, _ id: ReferenceID) -> RemoteFinding {
        let target = "\(folder(of: id))/\(row.file)\(compression?.suffix ?? "")"
        do throws(IOError) {
            guard let status = try fileSystem.status(target) else { return .missing("there is no \(target)") }
            guard compression == nil else {
                return status.byteCount > 0
                    ? .unknown("\(target) is there; the ledger knows nothing of compressed copies")
                    : .differs("\(target) is empty")
            }
            guard status.byteCount == UInt64(max(0, row.byteCount)) else {
                return .differs("\(target) has \(status.byteCount) bytes, the ledger \(row.byteCount)")
            }
            let found = try FileWitness.read(target, in: fileSystem).sha256
            guard found.hasPrefix(id.hash), row.sha256 ?? found == found else {
                return .differs("\(target) has the SHA-256 \(found), the ledger \(row.sha256 ?? id.hash)")
            }
            return .same
        } catch {
            return .unknown("\(error)")
        }
    }
}

extension S3Sender {
    fileprivate func look(at row: Shipment, _ id: ReferenceID) async -> RemoteFinding {
        let key = template.key(of: id) + (compression?.suffix ?? "")
        let response: HTTPResponse
        do throws(S3Stop) {
            response = try await exchange(S3Request(.head, key), accepting: [404])
        } catch {
            switch error.outcome {
            case .refused(let failure): return .refused(failure.text)
            case .again(let failure, _), .failed(let failure, _), .expired(let failure), .damaged(let failure):
                return .unknown("\(key): \(failure.text)")
            case .interrupted, .uploaded: return .unknown(key)
            }
        }
        guard response.status != 404 else { return .missing("there is no \(key) in \(options.bucket)") }
        if compression == nil, let length = response.headers["content-length"], length != "\(row.byteCount)" {
            return .differs("\(key) has \(length) bytes, the ledger \(row.byteCount)")
        }
        guard let etag = response.headers["etag"].map(AnswerRules.plainETag), let known = row.receipt?.etag else {
            return compression == nil ? .same : .unknown("\(key) is there; the ledger has no ETag of it")
        }
        return etag == known ? .same : .differs("\(key) has the ETag \(etag), the ledger \(known)")
    }
}
