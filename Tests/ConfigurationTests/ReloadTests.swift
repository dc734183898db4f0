import Configuration
import Testing

@Suite struct ReloadTests {
    private func reload(from old: String, to new: String) throws -> Reload {
        Reload(from: try load(minimal + old).settings(), to: try load(minimal + new).settings())
    }

    @Test("what can change does, what cannot is named and stays") func mixed() throws {
        let reload = try reload(
            from: "server: {port: 8080}\nlogging: {level: info}",
            to: "server: {port: 9090}\nlogging: {level: debug}\nlimits: {body_bytes: 1Mi}\ndedup: {window: 1h}")
        #expect(reload.applied == ["logging.level", "limits.body_bytes"])
        #expect(reload.waiting == ["server.port", "dedup.window"])
        #expect(reload.settings.logging.level == .debug)
        #expect(reload.settings.limits.bodyByteLimit == 1 << 20)
        #expect(reload.settings.server.port == 8080)
        #expect(reload.settings.dedup.window == .seconds(7200))
    }

    @Test("a key that is taken out has its default again") func removed() throws {
        let reload = try reload(from: "limits: {body_bytes: 1Ki}\ncloudzero: {send_interval: 1m}", to: "")
        #expect(reload.applied == ["cloudzero.send_interval", "limits.body_bytes"])
        #expect(reload.settings.limits.bodyByteLimit == 16 << 20)
        #expect(reload.settings.cloudzero.sendInterval == .seconds(600))
    }

    @Test("the same file changes nothing") func same() throws {
        let reload = try reload(from: "limits: {body_bytes: 1Mi}", to: "limits: {body_bytes: 1048576}")
        #expect(reload.applied.isEmpty && reload.waiting.isEmpty)
    }

    @Test(
        "destinations need a restart, one or a list",
        arguments: [
            "destination: {kind: directory, path: /other}",
            "destinations: [{kind: directory}, {kind: directory, name: b}]",
        ])
    func destinations(yaml: String) throws {
        let reload = try reload(from: "", to: yaml)
        #expect(reload.applied.isEmpty)
        #expect(reload.waiting == ["destination"])
        #expect(reload.settings.destinations.count == 1)
    }
}
