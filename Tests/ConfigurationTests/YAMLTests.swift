import Configuration
import Testing

@Suite struct YAMLTests {
    static let broken: [(String, String)] = [
        ("server:\n\tport: 1\n", "config.yml:2:1: a tab cannot indent YAML; use spaces"),
        ("a: \"abc\nb: 1\n", "config.yml:1:4: this quote is never closed"),
        ("a: 'abc\n", "config.yml:1:4: this quote is never closed"),
        ("a: @b\n", "config.yml:1:4: @ cannot begin a value; put the value in quotes"),
        ("a: &x 1\n", "config.yml:1:4: anchors (&name) are not supported; write the value out"),
        ("a: {b: &x [1]}\n", "config.yml:1:8: anchors (&name) are not supported; write the value out"),
        ("a: *x\n", "config.yml:1:4: aliases (*name) are not supported; write the value out"),
        ("a: !!binary x\n", "config.yml:1:4: tags (!name) are not supported; quote a value to make it text"),
        ("a: 1\n---\nb: 2\n", "config.yml:2:1: a second document begins here; one file holds one"),
        ("a: 1\nb: 2\na: 3\n", "config.yml:3:1: key \"a\" is already on line 1"),
        ("server:\n  port: 1\n  port: 2\n", "config.yml:3:3: key \"port\" is already on line 2"),
        ("? {a: b}\n: 1\n", "config.yml:1:3: a key must be a name, not a map of keys"),
        ("~: 1\n", "config.yml:1:1: a key must be a name, not nothing"),
        ("- a\n", "config.yml:1:1: the file must be a map of keys, not a list"),
        ("cluster_name\n", "config.yml:1:1: the file must be a map of keys, not a value"),
        ("a: [1, 2\n", "config.yml:2:1: did not find expected ',' or ']' while parsing a flow sequence"),
        ("a: 1\n b: 2\n", "config.yml:2:3: mapping values are not allowed in this context"),
        ("ä: \"\u{1}\"\n", "config.yml:1:5: control characters are not allowed"),
    ]

    @Test("a broken file is refused with line and column", arguments: broken)
    func refuses(yaml: String, line: String) {
        let lines = load(yaml, environment: ["CLUSTER_NAME": "demo"], strict: false).faultLines
        #expect(lines == [line])
    }

    @Test(
        "bytes that are no UTF-8 are refused where they are",
        arguments: [
            ([UInt8]("a: ä\nb: x".utf8) + [0xFF], "config.yml:2:5: the file is not UTF-8 text"),
            ([UInt8]("a: 1\nb: ".utf8) + [0xC3], "config.yml:2:4: the file is not UTF-8 text"),
            ([0xFF, 0xFE, 0x61, 0x00], "config.yml:1:1: the file is not UTF-8 text"),
            ([0x61, 0x00], "config.yml:1:2: control characters are not allowed"),
        ] as [([UInt8], String)])
    func notUTF8(bytes: [UInt8], line: String) {
        let result = Settings.load(
            yaml: bytes, fileName: "config.yml", environment: [:], overrides: [], role: .run)
        #expect(result.faultLines == [line])
    }

    @Test("an empty file is a file", arguments: ["", "\n", "# nothing\n", "---\n", "~\n", "{}\n", "\u{FEFF}"])
    func empty(yaml: String) throws {
        #expect(try load(yaml, environment: ["CLUSTER_NAME": "demo"]).settings().clusterName == "demo")
    }

    @Test("a byte order mark and CRLF are no hindrance") func windows() throws {
        let settings = try load("\u{FEFF}cluster_name: demo\r\nserver:\r\n  port: 9000\r\n").settings()
        #expect(settings.clusterName == "demo" && settings.server.port == 9000)
    }

    @Test("depth is bounded") func depth() {
        let fits = "a: " + String(repeating: "[", count: 30) + String(repeating: "]", count: 30)
        #expect(load(fits + "\n" + minimal).faultLines == [])
        let deep = "a: " + String(repeating: "[", count: 100_000)
        #expect(load(deep).faultLines == ["config.yml:1:35: nested deeper than 32 levels"])
        let maps = (0..<100).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
        #expect(load(maps).faultLines == ["config.yml:33:33: nested deeper than 32 levels"])
    }

    @Test("size is bounded") func size() {
        let large = "#" + String(repeating: "x", count: 1 << 20)
        #expect(load(large).faultLines == ["config.yml:1:1: the file is larger than 1 MiB"])
        let many = "a: [" + String(repeating: "1,", count: 100_000) + "]"
        #expect(load(many).faultLines == ["config.yml:1:131071: the file holds more than 65536 values"])
    }

    @Test(
        "one long scalar costs no more than its length",
        arguments: ["a: ", "cluster_name: ", "a: \"", "http: {no_proxy: ["])
    func longScalar(begin: String) {
        let text = begin + String(repeating: "x", count: (1 << 20) - 100) + "\n"
        let started = ContinuousClock.now
        _ = load(text)
        #expect(ContinuousClock.now - started < .seconds(20))
    }

    @Test("no mutation of a good file traps, and each is answered", arguments: 0..<4)
    func mutations(seed: Int) {
        let fragments: [[UInt8]] = [
            "{", "}", "[", "]", ":", "- ", "\n", "  ", "\t", "\"", "'", "&a ", "*a", "!!x ", "|\n", "~",
            "---\n", "\u{0}", "1e999", "-9223372036854775808", "9223372036854775807", "99999999h", "٣", "\u{FEFF}",
            "<<: ",
            "destinations:\n  - kind: s3\n", "? ", "%YAML 1.1\n",
        ].map { Array($0.utf8) }
        var random = SplitMix64(state: UInt64(seed))
        let original = Array(originalFile.utf8)
        var accepted = 0
        for _ in 0..<1000 {
            var bytes = original
            for _ in 0...random.next(below: 6) {
                let at = random.next(below: bytes.count)
                switch random.next(below: 5) {
                case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.insert(contentsOf: fragments[random.next(below: fragments.count)], at: at)
                case 2: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.next(below: 40)))
                case 3: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 1 + random.next(below: 200))], at: at)
                default: bytes.removeLast(bytes.count - at)
                }
                if bytes.isEmpty { bytes = original }
            }
            let result = Settings.load(
                yaml: bytes, fileName: "config.yml", environment: [:], overrides: [], role: .run, strict: false)
            switch result {
            case .success(let loaded):
                accepted += 1
                #expect(loaded.describe().count >= Key.all.count)
            case .failure(let faults): #expect(!faults.faults.isEmpty)
            }
        }
        #expect(accepted > 0 && accepted < 1000, "the mutations are neither all harmless nor all fatal")
    }
}

struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func next(below bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
