import Configuration
import Testing

@Suite struct FaultTests {
    @Test("every fault at once, in reading order") func allAtOnce() {
        let yaml = """
            region: "us east"
            server:
              port: 70000
              adress: "::"
            cloudzero:
              send_interval: 10 minutes
            wal:
              segment_bytes: 16mib
            """
        let lines = load(
            yaml, environment: ["COST_MAX_INTERVAL": "7d", "USE_HTTP": "maybe"],
            overrides: [(key: "dedup.windw", value: "1h"), (key: "limits.connections", value: "-1")], strict: true
        ).faultLines
        #expect(
            lines == [
                "config.yml:1:9: region: \"us east\" may hold letters, digits and hyphens only",
                "config.yml:3:9: server.port: \"70000\" is out of range (1 to 65535)",
                "config.yml:4:3: server.adress: unknown key (did you mean server.address?)",
                "config.yml:6:18: cloudzero.send_interval: \"10 minutes\" is not a duration (try 10m)",
                "config.yml:8:18: wal.segment_bytes: \"16mib\" is not a size (try 16Mi)",
                "env COST_MAX_INTERVAL: database.cost_max_interval: \"7d\" is not a duration (try 168h)",
                "env USE_HTTP: cloudzero.use_http: \"maybe\" is not true or false",
                "flag: \"dedup.windw\" is no key (did you mean dedup.window?)",
                "flag: limits.connections: \"-1\" is out of range (1 to 1000000)",
                "config.yml: cluster_name: is required (or set CLUSTER_NAME)",
            ])
    }

    static let unknownKeys: [(String, String)] = [
        ("sever: {port: 1}", "config.yml:2:1: sever: unknown key (did you mean server?)"),
        ("server: {prot: 1}", "config.yml:2:10: server.prot: unknown key (did you mean server.port?)"),
        ("send_interval: 1m", "config.yml:2:1: send_interval: unknown key (did you mean cloudzero.send_interval?)"),
        ("server.port: 1", "config.yml:2:1: server.port: unknown key (write it as nested maps, without points)"),
        ("quite_something: 1", "config.yml:2:1: quite_something: unknown key"),
        ("destination: {pth: /a}", "config.yml:2:15: destination.pth: unknown key (did you mean destination.path?)"),
        (
            "destinations: [{pth: /a}]",
            "config.yml:2:17: destinations[0].pth: unknown key (did you mean destination.path?)"
        ),
        (
            "metrics: {cost: [{pattern: a, match: exact, matches: b}]}",
            "config.yml:2:45: metrics.cost[0].matches: unknown key (did you mean match?)"
        ),
        ("\"a\\nb\": 1", "config.yml:2:1: \"a\\nb\": unknown key"),
        (
            "database: {purge_rules: {lasy: 1}}",
            "config.yml:2:26: database.purge_rules.lasy: unknown key (did you mean database.purge_rules.lazy?)"
        ),
    ]

    @Test("an unknown key is a warning, and a fault when strict", arguments: unknownKeys)
    func unknownKey(yaml: String, line: String) throws {
        #expect(try load(minimal + yaml).loaded().warnings == [line])
        #expect(load(minimal + yaml, strict: true).faultLines == [line])
        #expect(load("cluster_name: demo\n\(yaml)\nstrict: true").faultLines == [line])
    }

    static let refused: [(String, [String])] = [
        ("server: [1]", ["config.yml:2:9: server: must be a map of keys, not a list"]),
        ("server: {port: [1]}", ["config.yml:2:16: server.port: must be a whole number, not a list"]),
        ("server: {port: {a: 1}}", ["config.yml:2:16: server.port: must be a whole number, not a map of keys"]),
        ("tls: {key_file: /k}", ["config.yml:2:17: tls.key_file: needs tls.cert_file"]),
        ("tls: {cert_file: /k}", ["config.yml:2:18: tls.cert_file: needs tls.key_file"]),
        ("tls: {client_ca_file: /k}", ["config.yml:2:23: tls.client_ca_file: needs tls.cert_file"]),
        ("server: {mode: https}", ["config.yml:2:16: server.mode: https needs tls.cert_file"]),
        (
            "http: {client_key_file: /k}", ["config.yml:2:25: http.client_key_file: needs http.client_cert_file"]
        ),
        (
            "limits: {in_flight_bytes: 16Mi}",
            [
                "config.yml:2:27: limits.in_flight_bytes: is less than limits.decoded_bytes (32Mi): "
                    + "a request of that size would never be let in"
            ]
        ),
        (
            "database: {available_storage: 100Mi}",
            [
                "config.yml:2:31: database.available_storage: "
                    + "is less than limits.reserve_bytes and four log segments together"
            ]
        ),
        (
            "cloudzero: {upload_hosts: [\"a b\", ok.example]}",
            ["config.yml:2:28: cloudzero.upload_hosts: \"a b\" is not a host (write name, name:port or *.suffix)"]
        ),
        (
            "metrics: {cost: [{pattern: a}]}",
            ["config.yml:2:18: metrics.cost[0]: needs both pattern and match"]
        ),
        (
            "metrics: {cost: [{pattern: a, match: glob}]}",
            ["config.yml:2:38: metrics.cost[0].match: \"glob\" is not one of exact, prefix, suffix, contains, regex"]
        ),
        (
            "metrics: {cost: [a]}",
            ["config.yml:2:18: metrics.cost[0]: must be a map with pattern and match, not a value"]
        ),
        (
            "metrics: {cost: [{pattern: '', match: regex}]}",
            ["config.yml:2:28: metrics.cost[0].pattern: an empty regex matches everything; leave the filter out"]
        ),
        (
            "metrics:\n  cost:\n    - {pattern: 'a(b', match: regex}\n"
                + "  observability: [{match: regex, pattern: 'a{1001}'}]",
            [
                "config.yml:4:17: metrics.cost[0].pattern: \"a(b\" is not a regular expression of RE2: "
                    + "missing ): a(b",
                "config.yml:5:43: metrics.observability[0].pattern: \"a{1001}\" is not a regular expression of RE2: "
                    + "invalid repetition size: {1001}",
            ]
        ),
        (
            "metrics: {cost_labels: [\n" + String(repeating: "{pattern: a, match: regex},\n", count: 65) + "]}",
            [
                "config.yml:67:11: metrics.cost_labels[64].pattern: "
                    + "is one regex more than 64 in all lists; join some with |"
            ]
        ),
        (
            "metrics: {cost: a}",
            ["config.yml:2:17: metrics.cost: \"a\" is not a list of filters: give them in the file"]
        ),
    ]

    @Test("what cannot work is said where it stands", arguments: refused)
    func refuses(yaml: String, lines: [String]) {
        #expect(load(minimal + yaml).faultLines == lines)
    }

    @Test(
        "a secret's value is in no message",
        arguments: ["http: {proxy: 'ftp://joe:hunter2@p'}", "http: {proxy: hunter2}"])
    func secret(yaml: String) {
        let lines = load(minimal + yaml).faultLines
        #expect(lines == ["config.yml:2:15: http.proxy: the value is not a URL (write it like https://host:443)"])
    }

    @Test("a value in a message is one short line") func quoting() {
        let lines = load(minimal, environment: ["SERVER_PORT": "a\n\u{1B}[31m\"" + String(repeating: "x", count: 200)])
            .faultLines
        let value = "a\\n\\u{1B}[31m\\\"" + String(repeating: "x", count: 72) + "..."
        #expect(lines == ["env SERVER_PORT: server.port: \"\(value)\" is not a whole number"])
    }

    @Test("more faults than anyone reads are counted") func many() {
        let yaml = minimal + (0..<250).map { "k\($0): 1\n" }.joined()
        let lines = load(yaml, strict: true).faultLines
        #expect(lines.count == 101)
        #expect(lines.last == "and 150 more")
    }

    @Test("files late by the log's age are warned of") func segmentAge() throws {
        let loaded = try load(minimal + "wal: {segment_age: 1h}").loaded()
        #expect(
            loaded.warnings == [
                "config.yml:2:20: wal.segment_age: is longer than a compaction interval (10m): files will be late"
            ])
    }

    @Test("what is retired is said wherever it comes from") func retired() throws {
        let loaded = try load(
            environment: ["ROTATE_INTERVAL": "10m"], overrides: [(key: "database.compress", value: "true")]
        ).loaded()
        #expect(
            loaded.warnings == [
                "env ROTATE_INTERVAL: cloudzero.rotate_interval: no longer used",
                "flag: database.compress: no longer used",
            ])
    }
}
