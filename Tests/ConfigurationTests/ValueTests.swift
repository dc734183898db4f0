import Configuration
import Testing

/// Each kind of value, through a key of that kind.
@Suite struct ValueTests {
    private func read(_ key: String, _ text: String) -> (value: String?, fault: String?) {
        let result = load(overrides: [(key: key, value: text)])
        guard case .success(let loaded) = result else { return (nil, result.faultLines.first) }
        return (loaded.describe().first { $0.key == key }?.value, nil)
    }

    static let good: [(String, String, String)] = [
        ("cloudzero.send_interval", "1h30m", "1h30m"), ("cloudzero.send_interval", "90m", "1h30m"),
        ("cloudzero.send_interval", "1.5h", "1h30m"), ("cloudzero.send_interval", "+1h", "1h"),
        ("cloudzero.send_interval", "1500ms", "1s500ms"), ("cloudzero.send_interval", "3600000000us", "1h"),
        ("cloudzero.send_interval", "1000000µs", "1s"), ("cloudzero.send_interval", "1000000001ns", "1s1ns"),
        ("cloudzero.send_interval", ".5m", "30s"), ("dedup.window", "0", "0s"), ("dedup.window", "0s", "0s"),
        ("wal.segment_bytes", "16Mi", "16Mi"), ("wal.segment_bytes", "1Gi", "1Gi"),
        ("wal.segment_bytes", "500M", "500M"),
        ("wal.segment_bytes", "1e8", "100M"), ("wal.segment_bytes", "1E8", "100M"),
        ("wal.segment_bytes", "1.5Mi", "1536Ki"),
        ("wal.segment_bytes", "65536.2", "65537"), ("wal.segment_bytes", "1000k", "1M"),
        ("database.available_storage", "1Ei", "1Ei"), ("database.available_storage", "1E", "1E"),
        ("server.port", "1", "1"), ("server.port", "65535", "65535"), ("server.port", "8_080", "8080"),
        ("database.max_records", "1e+06", "1000000"), ("database.max_records", "+5", "5"),
        ("server.profiling", "on", "true"), ("server.profiling", "F", "false"), ("server.profiling", "1", "true"),
        ("logging.level", "WARNING", "warn"), ("logging.level", "Debug", "debug"),
        ("logging.level", "fatal", "critical"),
        ("cloudzero.upload_hosts", "a.example, *.b.example:9000", "a.example,*.b.example:9000"),
        ("cloudzero.host", "https://api.example.com:8443/base", "https://api.example.com:8443/base"),
        ("cloudzero.host", "[::1]:8080", "[::1]:8080"), ("server.address", "0.0.0.0", "0.0.0.0"),
        ("http.proxy", "http://proxy:3128", "http://proxy:3128"),
        ("http.no_proxy", "10.0.0.0/8,.local", "10.0.0.0/8,.local"),
    ]

    @Test("is read, and printed in its shortest form", arguments: good)
    func accepts(key: String, text: String, printed: String) {
        #expect(read(key, text) == (printed, nil))
    }

    static let bad: [(String, String, String)] = [
        ("cloudzero.send_interval", "10", "is not a duration (try 10s)"),
        ("cloudzero.send_interval", "10 min", "is not a duration (try 10m)"),
        ("cloudzero.send_interval", "1 hour 30 minutes", "is not a duration (try 1h30m)"),
        ("cloudzero.send_interval", "2W", "is not a duration (try 336h)"),
        ("cloudzero.send_interval", "1.5d", "is not a duration (try 36h)"),
        ("cloudzero.send_interval", "soon", "is not a duration (write it like 90s, 10m or 1h30m)"),
        ("cloudzero.send_interval", "10m extra", "is not a duration (write it like 90s, 10m or 1h30m)"),
        ("cloudzero.send_interval", "9999999999h", "is not a duration (write it like 90s, 10m or 1h30m)"),
        ("cloudzero.send_interval", "9223372036s1h", "is not a duration (write it like 90s, 10m or 1h30m)"),
        ("cloudzero.send_interval", "٣m", "is not a duration (write it like 90s, 10m or 1h30m)"),
        ("cloudzero.send_interval", "-10m", "is out of range (1s to 24h)"),
        ("cloudzero.send_interval", "999ms", "is out of range (1s to 24h)"),
        ("cloudzero.send_interval", "24h1ns", "is out of range (1s to 24h)"),
        ("wal.segment_bytes", "16 mb", "is not a size (try 16M)"),
        ("wal.segment_bytes", "16m", "is not a size (try 16M)"),
        ("wal.segment_bytes", "100K", "is not a size (try 100k)"),
        ("wal.segment_bytes", "65536 bytes", "is not a size (try 65536)"),
        ("wal.segment_bytes", "big", "is not a size (write it like 64Mi, 500M or 20Gi)"),
        ("wal.segment_bytes", "-1Mi", "is not a size (write it like 64Mi, 500M or 20Gi)"),
        ("wal.segment_bytes", "8Ei", "is not a size (write it like 64Mi, 500M or 20Gi)"),
        ("wal.segment_bytes", "1e999", "is not a size (write it like 64Mi, 500M or 20Gi)"),
        ("wal.segment_bytes", "1e-999", "is out of range (64Ki to 1Gi)"),
        ("wal.segment_bytes", "9999999999999999999", "is not a size (write it like 64Mi, 500M or 20Gi)"),
        ("wal.segment_bytes", "65535", "is out of range (64Ki to 1Gi)"),
        ("server.port", "0", "is out of range (1 to 65535)"), ("server.port", "65536", "is out of range (1 to 65535)"),
        ("server.port", "-1", "is out of range (1 to 65535)"), ("server.port", "80.5", "is not a whole number"),
        ("server.port", "0x50", "is not a whole number"), ("server.port", "--1", "is not a whole number"),
        ("server.port", "99999999999999999999999", "is not a whole number"),
        ("server.port", String(repeating: "9", count: 60), "is not a whole number"),
        (
            "cloudzero.send_interval", "1." + String(repeating: "9", count: 60) + "h",
            "is not a duration (write it like 90s, 10m or 1h30m)"
        ),
        (
            "wal.segment_bytes", "0." + String(repeating: "9", count: 60) + "Ei",
            "is not a size (write it like 64Mi, 500M or 20Gi)"
        ),
        ("server.port", "-", "is not a whole number"), ("server.port", ".", "is not a whole number"),
        ("server.profiling", "ja", "is not true or false"),
        (
            "logging.level", "inof",
            "is not one of trace, debug, info, notice, warn, error, critical (did you mean info?)"
        ),
        ("parquet.profile", "tiny", "is not one of compat, compact"),
        ("cluster_name", "a_b", "may hold letters, digits and hyphens only"),
        ("cluster_name", "ä", "may hold letters, digits and hyphens only"), ("cluster_name", "''", "is empty"),
        ("cluster_name", String(repeating: "a", count: 254), "is longer than 253 characters"),
        ("database.storage_path", "/a\u{0}b", "holds a control character"),
        ("database.storage_path", String(repeating: "a", count: 4096), "is longer than 4095 bytes"),
        ("cloudzero.host", "api example", "is not a host (write name, name:port or name/path)"),
        ("cloudzero.host", "https://", "is not a host"),
        ("cloudzero.host", "joe@host", "is not a host (write name, name:port or name/path)"),
        ("cloudzero.upload_hosts", "*.", "is not a host (write name, name:port or *.suffix)"),
        ("destination.prefix", "a//b", "holds an empty, . or .. part"),
        ("destination.prefix", "a/../b", "holds an empty, . or .. part"),
        ("server.address", "a b", "is not an IP address or host name"),
    ]

    @Test("is refused, with what to write instead", arguments: bad)
    func refuses(key: String, text: String, reason: String) {
        let fault = read(key, text).fault ?? "accepted"
        #expect(fault.hasPrefix("flag: \(key): \""), "\(fault)")
        #expect(fault.hasSuffix("\" \(reason)"), "\(fault)")
    }

    @Test("the bounds of every key are accepted, and one beyond refused", arguments: Key.all.map(\.path))
    func bounds(path: String) throws {
        let key = try #require(Key.all.first { $0.path == path })
        func accepts(_ text: String) -> Bool {
            // Only this key's own faults: a bound may not go together with other defaults.
            !load(overrides: [(key: path, value: text)]).faultLines.contains {
                $0.contains(" is out of range ") || $0.contains(" is not a ")
            }
        }
        switch key.type {
        case .integer(let range), .size(let range):
            #expect(accepts("\(range.lowerBound)") && accepts("\(range.upperBound)"))
            #expect(!accepts("\(range.lowerBound - 1)") && !accepts("\(range.upperBound + 1)"))
        case .duration(let range):
            for (bound, step) in [(range.lowerBound, -1), (range.upperBound, 1)] {
                let nanoseconds =
                    Int(bound.components.seconds) * 1_000_000_000 + Int(bound.components.attoseconds / 1_000_000_000)
                #expect(accepts("\(nanoseconds)ns"))
                #expect(!accepts("\(nanoseconds + step)ns"))
            }
        case .choice(let words, _):
            for word in words { #expect(accepts(word)) }
        case .boolean, .text, .texts, .filters: break
        }
    }

    @Test("a huge value is refused unread") func huge() {
        let text = String(repeating: "\"", count: 500_000)
        #expect(read("cluster_name", text).fault == "flag: cluster_name: the value is longer than 16384 bytes")
    }
}
