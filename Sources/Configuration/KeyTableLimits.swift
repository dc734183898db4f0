extension Key {
    private static let gib = 1 << 30

    static let limits: [Key] = [
        .size(
            "limits.body_bytes", \.limits.bodyByteLimit, 1024...gib, on: .reload, "Bytes of a request's body as sent"),
        .size(
            "limits.decoded_bytes", \.limits.decodedByteLimit, 1024...gib, on: .reload,
            "Bytes of a body once inflated"),
        .integer("limits.labels_per_series", \.limits.labelsPerSeries, 1...65535, on: .reload, "Labels of a series"),
        .size(
            "limits.label_name_bytes", \.limits.labelNameByteLimit, 1...(1 << 20), on: .reload,
            "Bytes of a label's name"),
        .size(
            "limits.label_value_bytes", \.limits.labelValueByteLimit, 1...(16 << 20), on: .reload,
            "Bytes of a label's value"),
        .size(
            "limits.expanded_label_bytes", \.limits.expandedLabelByteLimit, 1024...gib, on: .reload,
            "Bytes of a request's labels, each counted as often as it is referred to"),
        .integer(
            "limits.series_per_segment", \.limits.seriesPerSegment, 1...16_000_000, on: .reload,
            "Series of a log segment; one more starts the next"),
        .integer(
            "limits.in_flight_requests", \.limits.requestsInFlight, 1...100_000, on: .reload,
            "Requests not answered yet; one more is answered 503"),
        .size(
            "limits.in_flight_bytes", \.limits.bytesInFlight, (1 << 20)...(64 * gib), on: .reload,
            "What requests not answered yet hold, with the body that is being inflated; beyond it 503"),
        .integer(
            "limits.connections", \.limits.connections, 1...1_000_000, "Open connections; one more is answered 503"),
        .integer(
            "limits.connections_per_address", \.limits.connectionsPerAddress, 1...1_000_000,
            "Open connections of one client address; one more is answered 503"),
        .size(
            "limits.header_bytes", \.limits.headerByteLimit, 1024...(1 << 20), "Bytes of a request's line and headers"),
        .duration(
            "limits.header_time", \.limits.headerTimeout, .milliseconds(100) ... .seconds(600),
            "From accept to the end of the first request's headers"),
        .duration(
            "limits.idle_time", \.limits.idleTimeout, .milliseconds(100) ... .seconds(3600),
            "From an answer to the next request's headers"),
        .size(
            "limits.body_rate", \.limits.bodyBytesPerSecond, 0...gib,
            "Bytes a second a body must bring in each `limits.header_time`; 0 any"),
        .duration(
            "limits.future_time", \.limits.futureTolerance, .zero ... .seconds(87600 * 3600), on: .reload,
            "Samples further in the future are refused; 0 accepts any"),
        .size(
            "limits.reserve_bytes", \.limits.reserveBytes, 0...(64 * gib),
            "Disk space held back so that sealing and upload can finish on a full disk"),
    ]

    static let access: [Key] = [
        .optionalText(
            "tls.cert_file", \.tls.certificatePath, .path, note: "no TLS",
            "PEM certificate chain of our ports; read again when it changes"),
        .optionalText("tls.key_file", \.tls.keyPath, .path, "Its private key, in PEM form; read again when it changes"),
        .optionalText(
            "tls.client_ca_file", \.tls.clientCAPath, .path, note: "no client certificates",
            "Clients must show a certificate of an authority in this file, but for probes; read again when it changes"),
        .optionalText(
            "auth.bearer_file", \.auth.bearerPath, .path, note: "open",
            "File of bearer tokens, one a line, any of which opens; read again when it changes"),
        .optionalText(
            "auth.basic_file", \.auth.basicPath, .path, note: "open",
            "File of `user:password` lines, any of which opens; read again when it changes"),
    ]

    /// The proxy has no variable of its own: HTTP_PROXY means another thing to every other program, and libcurl
    /// reads the usual ones itself.
    static let outgoing: [Key] = [
        .optionalText(
            "http.proxy", \.http.proxy, .url(userAllowed: true), variables: [], note: "`HTTPS_PROXY`, `HTTP_PROXY`",
            isSecret: true, "Proxy for all uploads"),
        .texts(
            "http.no_proxy", \.http.noProxy, .proxyException, variables: [], note: "`NO_PROXY`",
            "What goes around the proxy"),
        .optionalText(
            "http.ca_file", \.http.caPath, .path, note: "the system's",
            "File or directory of further authorities to trust; read again when it changes"),
        .optionalText("http.client_cert_file", \.http.clientCertificatePath, .path, "Certificate we show"),
        .optionalText("http.client_key_file", \.http.clientKeyPath, .path, "Its private key"),
        .optionalSize(
            "http.rate_limit", \.http.uploadBytesPerSecond, 1024...(64 * gib), note: "unlimited",
            "Bytes a second of all uploads together"),
    ]

    static let filters: [Key] = [
        .filters("metrics.cost", \.metrics.cost, note: "every metric", "Metrics of the `metrics` stream"),
        .filters(
            "metrics.cost_labels", \.metrics.costLabels, note: "every label",
            "Names of the labels that stay in its rows"),
        .filters(
            "metrics.observability", \.metrics.observability, note: "no such stream",
            "Metrics of the `observability` stream"),
        .filters(
            "metrics.observability_labels", \.metrics.observabilityLabels, note: "every label",
            "Names of the labels that stay in its rows"),
    ]
}
