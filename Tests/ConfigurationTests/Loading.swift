import Configuration
import Testing

/// What a service of the cheapest kind needs.
let minimal = "cluster_name: demo\n"

func load(
    _ yaml: String? = minimal, environment: [String: String] = [:], overrides: [(key: String, value: String)] = [],
    role: Role = .run, strict: Bool = false
) -> Result<Loaded, ConfigurationFaults> {
    Settings.load(
        yaml: yaml.map { Array($0.utf8) }, fileName: "config.yml", environment: environment, overrides: overrides,
        role: role, strict: strict)
}

extension Result where Success == Loaded, Failure == ConfigurationFaults {
    /// The lines that `config check` prints; empty when it works.
    var faultLines: [String] {
        switch self {
        case .success: []
        case .failure(let faults): faults.description.split(separator: "\n").map(String.init)
        }
    }

    /// The settings of a configuration that must work.
    func settings(sourceLocation: SourceLocation = #_sourceLocation) throws -> Settings {
        try loaded(sourceLocation: sourceLocation).settings
    }

    func loaded(sourceLocation: SourceLocation = #_sourceLocation) throws -> Loaded {
        #expect(faultLines == [], sourceLocation: sourceLocation)
        return try get()
    }
}

/// A file of the original, with everything its chart writes.
let originalFile = """
    cloud_account_id: "123456789012"
    region: us-east-1
    cluster_name: prod-eu-1
    metrics:
      cost:
        - pattern: "container_cpu_usage_seconds_total"
          match: exact
        - pattern: kube_node_
          match: prefix
      cost_labels:
        - pattern: "^(namespace|pod)$"
          match: regex
      observability:
        - {pattern: _total, match: suffix}
      observability_labels:
    server:
      mode: http
      port: 8080
      profiling: false
      reconnect_frequency: 16
    logging:
      level: "info"
      capture: true
    database:
      storage_path: /cloudzero/data
      max_records: 1.5e+06
      cost_max_interval: 10m
      observability_max_interval: 30m
      compression_level: 8
      compress: true
      purge_rules:
        metrics_older_than: 168h
        lazy: true
        percent: 20
      available_storage: 20Gi
    cloudzero:
      api_key_path: /etc/config/secrets/value
      send_interval: 1m
      send_timeout: 30s
      rotate_interval: 30m
      lock_stale_duration: 5m
      host: api.cloudzero.com
      http_max_retries: 10
      http_max_wait: 30s

    """
