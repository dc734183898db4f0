extension Key {
    /// Every setting, in the order of the reference page.
    package static let all: [Key] =
        identity + receiver + storage + cloudzero + destination + log + limits + access + outgoing + filters

    /// By path.
    static let named: [String: Key] = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })

    /// Paths that hold further keys: `server`, `database.purge_rules`.
    static let sections: Set<String> = {
        var sections: Set<String> = []
        for key in all {
            var parts = key.path.split(separator: ".")
            while parts.count > 1 {
                parts.removeLast()
                sections.insert(parts.joined(separator: "."))
            }
        }
        return sections
    }()

    /// Keys of existing files that nothing reads any more: said in a warning, never a fault.
    static let retired: [(path: String, environmentName: String?)] = [
        ("cloudzero.rotate_interval", "ROTATE_INTERVAL"), ("cloudzero.lock_stale_duration", nil),
        ("database.compress", nil),
    ]

    private static let identity: [Key] = [
        .text(
            "cloud_account_id", \.cloudAccountID, .identifier, variables: ["CLOUD_ACCOUNT_ID"],
            "Cloud account of the cluster; required for destination `cloudzero`"),
        .text(
            "region", \.region, .identifier, variables: ["CSP_REGION"],
            "Cloud region of the cluster; required for destination `cloudzero`"),
        .text(
            "cluster_name", \.clusterName, .identifier, variables: ["CLUSTER_NAME"], note: "required",
            "Name of the cluster"),
        .text("organization_id", \.organizationID, .identifier, variables: ["ORGANIZATION_ID"], "Accepted, not used"),
        .boolean("strict", \.strict, "An unknown key stops the start instead of a warning"),
    ]

    private static let receiver: [Key] = [
        .choice("server.mode", \.server.mode, variables: ["SERVER_MODE"], "`https` insists on `tls.cert_file`"),
        .text("server.address", \.server.address, .address, "Address to listen on; `::` takes IPv4 too"),
        .integer("server.port", \.server.port, 1...65535, variables: ["SERVER_PORT"], "Port of `run` and `collector`"),
        .integer(
            "server.shipper_port", \.server.shipperPort, 1...65535,
            "Port of `shipper`, which takes `SERVER_PORT` for it too"),
        .boolean("server.profiling", \.server.profiling, variables: ["SERVER_PROFILING"], "Serve `/debug/state`"),
        .boolean("server.status_page", \.server.hasStatusPage, "Show a page to browsers at `/`"),
        .integer(
            "server.reconnect_frequency", \.server.reconnectFrequency, 0...1_000_000,
            variables: ["SERVER_RECONNECT_FREQUENCY"],
            "Close a connection once in so many requests, so that senders find new replicas; 0 never"),
        .duration(
            "server.drain_timeout", \.server.drainTimeout, .zero ... .seconds(600),
            "How long a graceful stop waits for requests in flight"),
    ]

    private static let storage: [Key] = [
        .text(
            "database.storage_path", \.database.storagePath, .path, variables: ["DATABASE_STORAGE_PATH"],
            "Directory of the log, the files and the ledger; must exist"),
        .integer(
            "database.max_records", \.database.recordLimit, 1...100_000_000, variables: ["MAX_RECORDS_PER_FILE"],
            "Rows of a Parquet file at most"),
        .integer(
            "database.compression_level", \.database.compressionLevel, 0...11, variables: ["DATABASE_COMPRESS_LEVEL"],
            "Without effect: Snappy has no levels, and compressed copies have a fixed one"),
        .duration(
            "database.cost_max_interval", \.database.costInterval, .seconds(1) ... .seconds(86400),
            variables: ["COST_MAX_INTERVAL"], on: .reload,
            "Longest wait before samples of the `metrics` stream become a file"),
        .duration(
            "database.observability_max_interval", \.database.observabilityInterval, .seconds(1) ... .seconds(86400),
            variables: ["OBSERVABILITY_MAX_INTERVAL"], on: .reload, "The same for the `observability` stream"),
        .optionalSize(
            "database.available_storage", \.database.availableStorageBytes, (64 << 20)...(1 << 60),
            variables: ["DATABASE_AVAILABLE_STORAGE"], note: "the whole volume", "Space we may use"),
        .duration(
            "database.purge_rules.metrics_older_than", \.database.uploadedRetention, .zero ... .seconds(87600 * 3600),
            variables: ["PURGE_METRICS_OLDER_THAN"], on: .reload,
            "Age at which uploaded files are purged; others never"),
        .boolean(
            "database.purge_rules.lazy", \.database.purgesLazily, variables: ["PURGE_LAZY"],
            "Purge only when space is short"),
        .integer(
            "database.purge_rules.percent", \.database.purgePercent, 1...100, variables: ["PURGE_PERCENT"],
            "Percent of the uploaded files purged at once when space is short"),
        .size(
            "wal.segment_bytes", \.wal.segmentByteLimit, (64 << 10)...(1 << 30),
            "The log starts a new segment at this size; labels come on top, up to 8 times it or 128Mi in all"),
        .duration(
            "wal.segment_age", \.wal.segmentAge, .milliseconds(100) ... .seconds(86400),
            "The log starts a new segment at this age"),
        .duration(
            "dedup.window", \.dedup.window, .zero ... .seconds(168 * 3600),
            "A request repeated within it is stored once; 0 turns this off"),
        .choice(
            "parquet.profile", \.parquet.profile,
            "Size of row groups and pages: `compact` makes files smaller, for readers with 100 MiB to spare"),
        .boolean(
            "parquet.hourly", \.parquet.isHourly,
            "One compaction a UTC hour, when it is over: few large files, an hour late; the intervals have no effect"),
        .texts(
            "parquet.promoted_labels", \.parquet.promotedLabels, .labelName,
            "Typed tables: labels that have a column of their own; the others are in the map `labels`"),
    ]

    private static let cloudzero: [Key] = [
        .optionalText(
            "cloudzero.api_key_path", \.cloudzero.apiKeyPath, .path, variables: ["API_KEY_PATH"],
            "File that holds the API key; required for destination `cloudzero`; read again when it changes"),
        .text(
            "cloudzero.host", \.cloudzero.host, .host, variables: ["CLOUDZERO_HOST", "HOST"], on: .reload,
            "Host of the upload API"),
        .boolean(
            "cloudzero.use_http", \.cloudzero.usesHTTP, variables: ["USE_HTTP"],
            "Plain HTTP instead of HTTPS, for tests"),
        .texts(
            "cloudzero.upload_hosts", \.cloudzero.uploadHosts, .hostPattern, on: .reload,
            "Where presigned URLs may point"),
        .boolean(
            "cloudzero.send_digests", \.cloudzero.sendsDigests, on: .reload,
            "Tell the upload API each file's SHA-256 and size"),
        .choice("cloudzero.api_dialect", \.cloudzero.dialect, "`seed` speaks the early form of the upload API"),
        .duration(
            "cloudzero.send_interval", \.cloudzero.sendInterval, .seconds(1) ... .seconds(86400),
            variables: ["SEND_INTERVAL"],
            on: .reload, "How often every destination is served"),
        .duration(
            "cloudzero.send_timeout", \.cloudzero.sendTimeout, .seconds(1) ... .seconds(3600),
            variables: ["SEND_TIMEOUT"],
            on: .reload, "Longest time of one attempt"),
        .integer(
            "cloudzero.http_max_retries", \.cloudzero.retryLimit, 0...1000, variables: ["HTTP_MAX_RETRIES"],
            on: .reload,
            "Attempts after the first, within one cycle"),
        .duration(
            "cloudzero.http_max_wait", \.cloudzero.retryWaitLimit, .zero ... .seconds(3600),
            variables: ["HTTP_MAX_WAIT"],
            on: .reload, "Longest wait between two attempts"),
    ]

    /// Of the `destination:` map, and of each element of `destinations:`.
    private static let destination: [Key] = [
        .choice(
            "destination.kind", \.destinations[0].kind,
            note: "`cloudzero` when `cloudzero.api_key_path` is set, else `directory`", "Where files are sent"),
        .text(
            "destination.name", \.destinations[0].name, .identifier, note: "the kind",
            "Its name in the ledger; a new name is a new destination"),
        .choice(
            "destination.layout", \.destinations[0].layout,
            "`cloudzero` has the original's columns; `native` typed ones, for your own lake"),
        .text(
            "destination.path", \.destinations[0].path, .path, note: "`<storage_path>/shipped`",
            "`directory`: where the `dt=/hr=` folders are made"),
        .text("destination.bucket", \.destinations[0].bucket, .bucket, "`s3`: required"),
        .text(
            "destination.region", \.destinations[0].region, .identifier,
            note: "`AWS_REGION`, `AWS_DEFAULT_REGION`; `us-east-1` with an endpoint", "`s3`: region of the bucket"),
        .optionalText(
            "destination.endpoint", \.destinations[0].endpoint, .url(userAllowed: false), note: "AWS", isSecret: true,
            "`s3`: base URL of another service"),
        .text(
            "destination.prefix", \.destinations[0].prefix, .prefix,
            "`s3`: begin of the object keys; may hold `{kind}`, `{dt}`, `{hr}`, `{cluster}`, `{account}`, `{region}`"),
        .boolean(
            "destination.path_style", \.destinations[0].pathStyle, "`s3`: the bucket is in the path, not in the host"),
        .optionalText(
            "destination.access_key_file", \.destinations[0].accessKeyPath, .path,
            note: "environment, web identity, metadata service", "`s3`: file of the access key id"),
        .optionalText(
            "destination.secret_key_file", \.destinations[0].secretKeyPath, .path, "`s3`: file of the secret key"),
        .optionalChoice(
            "destination.sse", \.destinations[0].encryption, note: "the bucket's own", "`s3`: server-side encryption"),
        .optionalChoice(
            "destination.compression", \.destinations[0].compression, note: "none",
            "`s3`, `directory`: compress the copy that is sent; its key ends in `.gz` or `.zst`"),
        .optionalText(
            "destination.sse_kms_key_id", \.destinations[0].encryptionKeyID, .path, note: "the bucket's own",
            "`s3`: key of `aws:kms`"),
        .boolean(
            "destination.if_none_match", \.destinations[0].refusesOverwrites,
            "`s3`: ask the server to refuse a second object of one key"),
        .size(
            "destination.part_bytes", \.destinations[0].partByteCount, (5 << 20)...(5 << 30),
            "`s3`: larger files are sent in parts of this size"),
    ]

    private static let log: [Key] = [
        .choice(
            "logging.level", \.logging.level,
            synonyms: ["warning": "warn", "fatal": "critical", "panic": "critical", "disabled": "critical"],
            variables: ["LOG_LEVEL"], on: .reload, "Least level that is logged"),
        .choice("logging.format", \.logging.format, "Form of a log line"),
        .boolean("logging.capture", \.logging.capture, variables: ["LOG_CAPTURE"], "Store our own log as files too"),
    ]
}
