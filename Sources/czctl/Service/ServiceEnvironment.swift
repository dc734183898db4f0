internal import Bytes
internal import Compactor
internal import Configuration
internal import DiskIO
internal import Glibc
internal import Ingest
internal import Logging
internal import Metrics
internal import NIOPosix
internal import Parquet
internal import RegularExpressions
internal import RemoteWrite
internal import Ship

/// What every part of a service is given: settings, the real disk and clock, one registry, one logger.
struct ServiceEnvironment: Sendable {
    var settings: Settings
    let layout: VolumeLayout
    let fileSystem: any FileSystem
    let clocks: Clocks
    let registry: MetricsRegistry
    let logger: Logger
    let logThreshold: LogThreshold
    let recentLog: RecentLog
    let role: String
    let filter: SeriesFilter

    /// - Parameter component: as the log names it.
    /// - Throws: `RegularExpressionError`, for settings that were not loaded from a configuration.
    init(settings: Settings, role: String, component: ServiceRole) throws {
        self.settings = settings
        self.role = role
        let threshold = LogThreshold(Logger.Level(settings.logging.level))
        logThreshold = threshold
        let recent = RecentLog()
        recentLog = recent
        logger = Logger(label: component.rawValue) { label in
            StructuredLog(component: label, format: settings.logging.format, threshold: threshold, recent: recent)
        }
        // Without symbolic links, which the disk seam follows nowhere; one that is not there is refused at start.
        let path = settings.database.storagePath
        layout = VolumeLayout(root: RealPath.of(path) ?? path)
        fileSystem = PosixFileSystem()
        clocks = .system
        registry = MetricsRegistry()
        filter = try Self.filter(settings.metrics, registry)
    }

    /// What a lock file says of its owner.
    var owner: String { "\(role) pid \(getpid())" }

    // MARK: Settings, in the words of the services

    func ingestOptions(reservedFor destinations: [DestinationSettings]) -> IngestOptions {
        let limits = settings.limits
        var options = IngestOptions(
            bodyByteLimit: limits.bodyByteLimit, decodedByteLimit: limits.decodedByteLimit,
            inFlightByteLimit: limits.bytesInFlight, inFlightRequestLimit: limits.requestsInFlight,
            diskReserveBytes: UInt64(limits.reserveBytes),
            decode: DecodeLimits(
                labelsPerSeries: limits.labelsPerSeries, labelNameBytes: limits.labelNameByteLimit,
                labelValueBytes: limits.labelValueByteLimit, expandedLabelBytes: limits.expandedLabelByteLimit,
                valuesPerRequest: DecodeLimits.values(inBody: limits.decodedByteLimit)),
            seriesPerSegment: limits.seriesPerSegment, segmentByteLimit: settings.wal.segmentByteLimit,
            segmentAge: settings.wal.segmentAge, rowsPerSegment: settings.database.recordLimit,
            dedupWindow: settings.dedup.window, dedupEntryLimit: 1_000_000,
            keepsOthers: Self.takesOthers(destinations),
            classify: { [filter] in filter.streams(metric: $0) })
        options.hasObservability = filter.hasObservability
        options.futureTolerance = limits.futureTolerance
        return options
    }

    private static func filter(_ settings: FilterSettings, _ registry: MetricsRegistry) throws -> SeriesFilter {
        func list(_ name: String, _ filters: [MetricFilter]?) throws -> FilterList? {
            guard let filters else { return nil }
            return FilterList(name, try filters.map(rule), registry)
        }
        return SeriesFilter(
            cost: .init(names: try list("cost", settings.cost), labels: try list("cost_labels", settings.costLabels)),
            observability: .init(
                names: try list("observability", settings.observability),
                labels: try list("observability_labels", settings.observabilityLabels)))
    }

    private static func rule(_ filter: MetricFilter) throws -> FilterRule {
        let match: FilterRule.Match =
            switch filter.match {
            case .exact: .exact
            case .prefix: .prefix
            case .suffix: .suffix
            case .contains: .contains
            case .regex: .regex
            }
        return try FilterRule(pattern: filter.pattern, match: match)
    }

    /// Whether some destination takes histograms, exemplars and metadata, as `DestinationOptions.takes` says.
    private static func takesOthers(_ destinations: [DestinationSettings]) -> Bool {
        destinations.contains { $0.kind != .cloudzero }
    }

    /// One layout for all destinations: the configuration is checked for it.
    private var isNative: Bool { settings.destinations.contains { $0.layout == .native } }

    var compactorOptions: CompactorOptions {
        var options = CompactorOptions(
            clusterName: settings.clusterName, cloudAccountID: settings.cloudAccountID,
            rowsPerFile: settings.database.recordLimit,
            interval: min(settings.database.costInterval, settings.database.observabilityInterval),
            dedupWindow: settings.dedup.window, configuration: configurationFingerprint,
            createdBy: Version.createdBy)
        options.labelFilters = filter.labelFilters
        options.isHourly = settings.parquet.isHourly
        options.profile = settings.parquet.profile == .compact ? .compact : .compat
        if isNative { options.layout = .native }
        options.promotedLabels = settings.parquet.promotedLabels
        options.writesOthers = Self.takesOthers(settings.destinations)
        return options
    }

    /// Of what decides the files' content.
    var configurationFingerprint: UInt64 {
        var text = "\(settings.clusterName)\u{0}\(settings.cloudAccountID)\u{0}\(settings.database.recordLimit)"
        text += "\u{0}\(settings.metrics)\u{0}\(settings.parquet.profile)"
        if isNative { text += "\u{0}native" }
        if Self.takesOthers(settings.destinations) { text += "\u{0}\(settings.parquet.promotedLabels)" }
        // FNV-1a: a label for people and footers, nothing rests on it.
        return text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    func shipOptions() -> ShipOptions {
        let cloudzero = settings.cloudzero
        let destinations: [DestinationOptions] = settings.destinations.map { destination in
            switch destination.kind {
            case .directory:
                .directory(
                    name: destination.name, path: destination.path, hive: true, byKind: isNative,
                    compression: Self.compression(destination))
            case .cloudzero:
                .cloudZero(
                    CloudZeroOptions(
                        name: destination.name, host: cloudzero.host, useHTTP: cloudzero.usesHTTP,
                        apiKeyPath: cloudzero.apiKeyPath ?? "", uploadHosts: cloudzero.uploadHosts,
                        sendsDigests: cloudzero.sendsDigests))
            case .s3: .s3(bucket(destination))
            }
        }
        var options = ShipOptions(
            clusterName: settings.clusterName, cloudAccountID: settings.cloudAccountID, region: settings.region,
            version: Version.number, hostName: ProcessEnvironment.variables["HOSTNAME"],
            destinations: destinations, sendInterval: cloudzero.sendInterval, attemptTimeout: cloudzero.sendTimeout,
            maxRetries: cloudzero.retryLimit, maxWait: cloudzero.retryWaitLimit,
            uploadedRetention: settings.database.uploadedRetention)
        options.purgesLazily = settings.database.purgesLazily
        options.purgePercent = settings.database.purgePercent
        options.availableStorageBytes = settings.database.availableStorageBytes.map { UInt64($0) }
        return options
    }

    private static func compression(_ destination: DestinationSettings) -> UploadCompression? {
        switch destination.compression {
        case .gzip: .gzip
        case .zstd: .zstd
        case nil: nil
        }
    }

    private func bucket(_ destination: DestinationSettings) -> S3Options {
        // Tables are folders, and the kinds of layout `native` have other columns.
        let prefix = destination.prefix
        let kindPrefix = prefix.isEmpty ? "{kind}" : "\(prefix)/{kind}"
        return S3Options(
            name: destination.name, bucket: destination.bucket, region: destination.region,
            endpoint: destination.endpoint, prefix: isNative && !prefix.contains("{kind}") ? kindPrefix : prefix,
            pathStyle: destination.pathStyle,
            accessKeyPath: destination.accessKeyPath, secretKeyPath: destination.secretKeyPath,
            encryption: destination.encryption?.rawValue, encryptionKeyID: destination.encryptionKeyID,
            refusesOverwrites: destination.refusesOverwrites, partByteCount: UInt64(destination.partByteCount),
            compression: Self.compression(destination),
            environment: ProcessEnvironment.variables.filter { $0.key.hasPrefix("AWS_") || $0.key == "HOME" })
    }

    var networkOptions: NetworkOptions {
        let http = settings.http
        let environment = ProcessEnvironment.variables
        func isSet(_ name: String) -> Bool { !(environment[name] ?? "").isEmpty }
        let plain = isSet("http_proxy") ? nil : environment["HTTP_PROXY"].flatMap { $0.isEmpty ? nil : $0 }
        return NetworkOptions(
            proxy: http.proxy, noProxy: http.noProxy, authoritiesPath: http.caPath,
            clientCertificatePath: http.clientCertificatePath, clientKeyPath: http.clientKeyPath,
            uploadBytesPerSecond: http.uploadBytesPerSecond, environmentProxy: plain,
            environmentNamesProxy: ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
                .contains(where: isSet))
    }

    /// What this version cannot do although the configuration asks for it: said at start, never passed over.
    func refuseUnsupported() throws {
        guard settings.cloudzero.dialect == .seed else { return }
        throw CommandFailure(
            .usage, "cannot start: not supported yet: cloudzero.api_dialect seed",
            try: "take this key out of the configuration")
    }
}
