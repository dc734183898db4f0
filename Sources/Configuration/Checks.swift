/// What no single key can tell: which keys need which others, and the defaults that depend on others.
extension Loader {
    mutating func check(_ settings: inout Settings, environment: [String: String]) {
        if settings.clusterName.isEmpty { need("cluster_name", variable: "CLUSTER_NAME") }
        checkDestinations(&settings, environment: environment)
        checkReceiver(settings)
        if settings.cloudzero.host.lowercased().hasPrefix("http://"), !settings.cloudzero.usesHTTP {
            blame(
                ["cloudzero.host"], "says http://, but HTTPS is spoken; leave it out, or set cloudzero.use_http: true")
        }
        checkPair(
            "http.client_cert_file", settings.http.clientCertificatePath, "http.client_key_file",
            settings.http.clientKeyPath)
        if settings.limits.bytesInFlight < settings.limits.decodedByteLimit {
            let reason =
                "is less than limits.decoded_bytes (\(Quantity.format(settings.limits.decodedByteLimit))): "
                + "a request of that size would never be let in"
            blame(["limits.in_flight_bytes", "limits.decoded_bytes"], reason)
        }
        let shortest = min(settings.database.costInterval, settings.database.observabilityInterval)
        if settings.wal.segmentAge > shortest {
            let origin = origins["wal.segment_age"] ?? .default
            let reason = "is longer than a compaction interval (\(GoDuration.format(shortest))): files will be late"
            findings.warn(finding(origin, "wal.segment_age", reason))
        }
        if let available = settings.database.availableStorageBytes,
            available < settings.limits.reserveBytes + 4 * settings.wal.segmentByteLimit
        {
            blame(["database.available_storage"], "is less than limits.reserve_bytes and four log segments together")
        }
    }

    private mutating func checkReceiver(_ settings: Settings) {
        checkPair("tls.cert_file", settings.tls.certificatePath, "tls.key_file", settings.tls.keyPath)
        if settings.tls.clientCAPath != nil, settings.tls.certificatePath == nil {
            blame(["tls.client_ca_file"], "needs tls.cert_file")
        }
        if settings.server.mode == .https, settings.tls.certificatePath == nil {
            blame(["server.mode"], "https needs tls.cert_file")
        }
    }

    private mutating func checkDestinations(_ settings: inout Settings, environment: [String: String]) {
        if hasDestinationList {
            let single = origins.keys.filter { $0.hasPrefix("destination.") }
            for path in single.sorted() { blame([path], Self.eitherOr) }
        }
        var indexByName: [String: Int] = [:]
        for index in settings.destinations.indices {
            let shown = hasDestinationList ? "destinations[\(index)]" : "destination"
            complete(&settings, index, shown, environment)
            checkDestination(settings, index, shown)
            let name = settings.destinations[index].name
            if let other = indexByName[name] {
                let paths = ["\(shown).name", "\(shown).kind", shown]
                blame(paths, "destinations[\(other)] is called \(quoted(name)) too; give each its own name")
            }
            indexByName[name] = index
        }
        checkLayout(settings)
    }

    /// Files are made once for all destinations.
    private mutating func checkLayout(_ settings: Settings) {
        let layout = settings.destinations[0].layout
        for index in settings.destinations.indices.dropFirst() where settings.destinations[index].layout != layout {
            let paths = ["destinations[\(index)].layout", "destinations[0].layout", "destinations[\(index)]"]
            blame(paths, "all destinations take the same files; give each of them the same layout")
        }
        var known: [String: String] = Self.nativeColumns
        for destination in settings.destinations where layout == .native {
            // A folder `cluster=prod` is a column of every file below it.
            for folder in "\(destination.prefix)/\(destination.path)".split(separator: "/") {
                guard let end = folder.firstIndex(of: "=") else { continue }
                known[folder[..<end].lowercased()] = String(folder[..<end])
            }
        }
        if settings.parquet.promotedLabels.count > Self.promotedLabelLimit {
            blame(
                ["parquet.promoted_labels"],
                "has more than \(Self.promotedLabelLimit) labels; each is a column in memory")
        }
        for label in settings.parquet.promotedLabels {
            if let other = known.updateValue(label, forKey: label.lowercased()) {
                let reason =
                    "\(quoted(label)) would be a second column \(quoted(other)); query engines do not tell case apart"
                blame(["parquet.promoted_labels"], reason)
            }
        }
    }

    private static let promotedLabelLimit = 64

    /// What no label can be the name of: other columns of the files, the metric's name, the folders.
    private static let nativeColumns: [String: String] = Dictionary(
        uniqueKeysWithValues: [
            "__name__", "dt", "hr", "metric_name", "timestamp", "start_timestamp", "value", "is_stale", "series_hash",
            "labels", "schema", "count", "count_float", "sum", "zero_threshold", "zero_count", "zero_count_float",
            "reset_hint", "positive_span_offsets", "positive_span_lengths", "positive_counts",
            "positive_counts_float", "negative_span_offsets", "negative_span_lengths", "negative_counts",
            "negative_counts_float", "custom_values", "exemplar_labels",
        ].map { ($0, $0) })

    /// Fills in the defaults that depend on other keys.
    private func complete(_ settings: inout Settings, _ index: Int, _ shown: String, _ environment: [String: String]) {
        var destination = settings.destinations[index]
        if origins["\(shown).kind"] == nil {
            destination.kind = settings.cloudzero.apiKeyPath == nil ? .directory : .cloudzero
        }
        if destination.name.isEmpty { destination.name = destination.kind.rawValue }
        if destination.kind == .directory, destination.path.isEmpty {
            let storage = settings.database.storagePath
            destination.path = storage.hasSuffix("/") ? storage + "shipped" : storage + "/shipped"
        }
        if destination.kind == .s3, destination.region.isEmpty {
            let given = [environment["AWS_REGION"], environment["AWS_DEFAULT_REGION"]].compactMap { $0 }
            destination.region = given.first { !$0.isEmpty } ?? (destination.endpoint == nil ? "" : "us-east-1")
        }
        settings.destinations[index] = destination
    }

    private mutating func checkDestination(_ settings: Settings, _ index: Int, _ shown: String) {
        let destination = settings.destinations[index]
        let kindPaths = ["\(shown).kind", shown]
        switch destination.kind {
        case .cloudzero:
            if settings.cloudzero.apiKeyPath == nil {
                need("cloudzero.api_key_path", variable: "API_KEY_PATH", for: shown)
            }
            if settings.cloudAccountID.isEmpty { need("cloud_account_id", variable: "CLOUD_ACCOUNT_ID", for: shown) }
            if settings.region.isEmpty { need("region", variable: "CSP_REGION", for: shown) }
            if destination.layout == .native {
                blame(["\(shown).layout"], "destination cloudzero takes layout cloudzero only")
            }
            if destination.compression != nil {
                blame(["\(shown).compression"], "destination cloudzero takes files as they are")
            }
        case .s3:
            if destination.bucket.isEmpty, role != .tool { blame(kindPaths, "destination s3 needs \(shown).bucket") }
            if destination.region.isEmpty, role != .tool {
                blame(kindPaths, "destination s3 needs \(shown).region (or AWS_REGION)")
            }
            checkPair(
                "\(shown).access_key_file", destination.accessKeyPath, "\(shown).secret_key_file",
                destination.secretKeyPath)
        case .directory:
            if destination.path == settings.database.storagePath {
                blame(["\(shown).path"], "is database.storage_path itself; give the files a directory of their own")
            }
        }
        for key in Key.all where key.path.hasPrefix("destination.") {
            let name = key.path.dropFirst("destination.".count)
            guard let kind = Self.kinds[String(name)], kind != destination.kind else { continue }
            guard origins["\(shown).\(name)"] != nil else { continue }
            blame(
                ["\(shown).\(name)"], "is for kind \(kind.rawValue), but the kind here is \(destination.kind.rawValue)")
        }
    }

    /// The keys of a destination that one kind alone has.
    private static let kinds: [String: DestinationKind] = [
        "path": .directory, "bucket": .s3, "region": .s3, "endpoint": .s3, "prefix": .s3, "path_style": .s3,
        "access_key_file": .s3, "secret_key_file": .s3, "sse": .s3, "sse_kms_key_id": .s3, "if_none_match": .s3,
        "part_bytes": .s3,
    ]

    private mutating func need(_ path: String, variable: String, for destination: String? = nil) {
        // A value that was refused is not missing; a tool does without.
        guard role != .tool, !findings.faults.contains(where: { $0.path == path }) else { return }
        let purpose = destination.map { " by \($0) of kind cloudzero" } ?? ""
        findings.add(finding(.default, path, "is required\(purpose) (or set \(variable))"))
    }

    private mutating func checkPair(_ first: String, _ firstValue: String?, _ second: String, _ secondValue: String?) {
        if firstValue != nil, secondValue == nil { blame([first], "needs \(second)") }
        if secondValue != nil, firstValue == nil { blame([second], "needs \(first)") }
    }

    /// A fault of the first of `paths` that was given at all.
    private mutating func blame(_ paths: [String], _ reason: String) {
        let given = paths.first { origins[$0] != nil }
        findings.add(finding(given.flatMap { origins[$0] } ?? .default, given ?? paths[0], reason))
    }
}
