import Configuration
import Testing

@Suite struct LoadTests {
    @Test("a file of the original works, and says what it no longer uses") func original() throws {
        let loaded = try load(originalFile).loaded()
        let settings = loaded.settings
        #expect(settings.cloudAccountID == "123456789012")
        #expect(settings.database.recordLimit == 1_500_000)
        #expect(settings.database.costInterval == .seconds(600))
        #expect(settings.database.availableStorageBytes == 20 << 30)
        #expect(settings.database.uploadedRetention == .seconds(168 * 3600))
        #expect(settings.cloudzero.sendInterval == .seconds(60))
        #expect(settings.logging.capture)
        #expect(
            settings.metrics.cost == [
                MetricFilter(pattern: "container_cpu_usage_seconds_total", match: .exact),
                MetricFilter(pattern: "kube_node_", match: .prefix),
            ])
        #expect(settings.metrics.observability == [MetricFilter(pattern: "_total", match: .suffix)])
        #expect(settings.metrics.observabilityLabels == nil)
        #expect(settings.destinations.map(\.kind) == [.cloudzero])
        #expect(settings.destinations[0].name == "cloudzero")
        #expect(
            loaded.warnings == [
                "config.yml:30:3: database.compress: no longer used",
                "config.yml:40:3: cloudzero.rotate_interval: no longer used",
                "config.yml:41:3: cloudzero.lock_stale_duration: no longer used",
            ])
    }

    @Test("the documented defaults hold without a file") func defaults() throws {
        let settings = try load(nil, environment: ["CLUSTER_NAME": "demo"]).settings()
        var expected = Settings()
        expected.clusterName = "demo"
        expected.destinations[0].name = "directory"
        expected.destinations[0].path = "/cloudzero/data/shipped"
        #expect(settings == expected)
        #expect(settings.server.port == 8080 && settings.server.shipperPort == 8081)
        #expect(settings.server.reconnectFrequency == 16)
        #expect(settings.database.recordLimit == 1_000_000)
        #expect(settings.cloudzero.retryLimit == 10)
        #expect(settings.cloudzero.sendTimeout == .seconds(120))
        #expect(settings.limits.bodyByteLimit == 16 << 20 && settings.limits.decodedByteLimit == 32 << 20)
        #expect(settings.wal.segmentByteLimit == 16 << 20 && settings.wal.segmentAge == .seconds(60))
        #expect(settings.dedup.window == .seconds(7200))
        #expect(!settings.logging.capture)
    }

    @Test("flag over environment over file over default") func precedence() throws {
        let yaml = minimal + "cloudzero:\n  send_interval: 1m\n"
        let environment = ["SEND_INTERVAL": "2m"]
        let flag = [(key: "cloudzero.send_interval", value: "3m"), (key: "cloudzero.send_interval", value: "4m")]
        #expect(try load().settings().cloudzero.sendInterval == .seconds(600))
        #expect(try load(yaml).settings().cloudzero.sendInterval == .seconds(60))
        #expect(try load(yaml, environment: environment).settings().cloudzero.sendInterval == .seconds(120))
        let loaded = try load(yaml, environment: environment, overrides: flag).loaded()
        #expect(loaded.settings.cloudzero.sendInterval == .seconds(240))
    }

    @Test("an empty variable and a null value count as unset") func unset() throws {
        let yaml =
            minimal
            + "cloudzero:\n  send_interval: 1m\n  host: ~\nserver:\nlogging: null\n"
            + "database:\n  available_storage: \"\"\n"
        let settings = try load(yaml, environment: ["SEND_INTERVAL": "", "HOST": ""]).settings()
        #expect(settings.cloudzero.sendInterval == .seconds(60))
        #expect(settings.cloudzero.host == "api.cloudzero.com")
        #expect(settings.database.availableStorageBytes == nil)
    }

    @Test("CLOUDZERO_HOST goes before HOST, and HOST over the file is said") func host() throws {
        let both = ["HOST": "laptop", "CLOUDZERO_HOST": "api.example.com"]
        #expect(try load(environment: both).settings().cloudzero.host == "api.example.com")
        let loaded = try load(minimal + "cloudzero: {host: a.example}\n", environment: ["HOST": "laptop"]).loaded()
        #expect(loaded.settings.cloudzero.host == "laptop")
        #expect(
            loaded.warnings == [
                "env HOST: cloudzero.host: overrules the file; shells set HOST too: unset it, or use CLOUDZERO_HOST"
            ])
    }

    @Test("SERVER_PORT sets the port of the service that starts", arguments: [Role.run, .collector, .tool])
    func collectorPort(role: Role) throws {
        let settings = try load(environment: ["SERVER_PORT": "9000"], role: role).settings()
        #expect(settings.server.port == 9000 && settings.server.shipperPort == 8081)
    }

    @Test func shipperPort() throws {
        let settings = try load(environment: ["SERVER_PORT": "9000"], role: .shipper).settings()
        #expect(settings.server.port == 8080 && settings.server.shipperPort == 9000)
    }

    @Test("quotes around an identifier are dropped", arguments: ["'123-4'", "\"123-4\"", " 123-4 "])
    func quotes(text: String) throws {
        #expect(try load(environment: ["CLOUD_ACCOUNT_ID": text]).settings().cloudAccountID == "123-4")
    }

    @Test("a number that looks octal stays as it is written") func leadingZero() throws {
        #expect(try load(minimal + "cloud_account_id: 012345678901\n").settings().cloudAccountID == "012345678901")
    }

    @Test("each key has an environment name of its own, and none is shared") func environmentNames() {
        let names = Key.all.flatMap(\.environmentNames)
        #expect(Set(names).count == names.count)
        for key in Key.all where key.environmentNames.isEmpty {
            #expect(key.path.hasPrefix("metrics.") || key.path == "http.proxy" || key.path == "http.no_proxy")
        }
        #expect(Key.all.first { $0.path == "wal.segment_bytes" }?.environmentNames == ["WAL_SEGMENT_BYTES"])
    }

    @Test("every key's printed value is read back as the same settings") func roundTrip() throws {
        let rows = try load(originalFile).loaded().describe()
        var overrides: [(key: String, value: String)] = []
        for row in rows where !row.key.hasPrefix("metrics.") && !row.value.isEmpty {
            // These belong to another kind of destination; they still have their defaults.
            let others = ["path_style", "if_none_match", "part_bytes", "compression"].map { "destination." + $0 }
            if others.contains(row.key) { continue }
            overrides.append((key: row.key, value: row.value))
        }
        var settings = try load(nil, overrides: overrides).settings()
        settings.metrics = try load(originalFile).settings().metrics
        #expect(settings == (try load(originalFile).settings()))
    }

    @Test("config print shows each value's origin, and no password") func describe() throws {
        let yaml = minimal + "http:\n  proxy: http://joe:secret@proxy:3128\n"
        let loaded = try load(
            yaml, environment: ["SEND_INTERVAL": "90s"], overrides: [(key: "server.port", value: "9000")]
        ).loaded()
        let rows = Dictionary(uniqueKeysWithValues: loaded.describe().map { ($0.key, $0) })
        func line(_ key: String) -> [String?] { [rows[key]?.value, rows[key]?.origin] }
        #expect(line("cluster_name") == ["demo", "file:1"])
        #expect(line("cloudzero.send_interval") == ["1m30s", "env SEND_INTERVAL"])
        #expect(line("server.port") == ["9000", "flag"])
        #expect(line("wal.segment_bytes") == ["16Mi", "default"])
        #expect(line("http.proxy") == ["http://***@proxy:3128", "file:3"])
        #expect(line("destination.path") == ["/cloudzero/data/shipped", "default"])
        #expect(rows.count == Key.all.count)
    }
}
