import Configuration
import Testing

@Suite struct MigrationTests {
    private func migrate(_ yaml: String) throws -> Migration {
        try Migration(yaml: Array(yaml.utf8), fileName: "agent.yml")
    }

    @Test("the result means the same, and says what does nothing") func original() throws {
        let migration = try migrate(originalFile)
        #expect(migration.droppedCount == 3)
        #expect(migration.text.contains("# rotate_interval: 30m  # no longer used"))
        #expect(migration.text.contains("capture: true  # without effect so far"))
        let before = try load(originalFile).settings()
        let after = try load(migration.text, strict: true).loaded()
        #expect(after.settings == before)
        #expect(after.warnings == [])
    }

    @Test("texts keep every character") func quoting() throws {
        let yaml = """
            cluster_name: demo
            cloud_account_id: "012345678901"
            region: no
            database: {storage_path: "/a b/#c"}
            metrics:
              cost:
              - {pattern: "^a\\\\.b: 'c'\\t#", match: regex}
              - {match: exact, pattern: "on"}
              observability: []
            """
        let migration = try migrate(yaml)
        #expect(migration.droppedCount == 0)
        #expect(migration.text.contains("cloud_account_id: \"012345678901\""))
        #expect(try load(migration.text, strict: true).settings() == load(yaml).settings())
    }

    @Test("an unknown key is a comment, with all below it") func unknown() throws {
        let migration = try migrate("cluster_name: demo\nsever:\n  port: 9\n  list: [1, {a: b}]\nserver: {port: 81}\n")
        #expect(migration.droppedCount == 1)
        #expect(migration.text.contains("# sever:  # unknown here: did you mean server?\n#   port: 9\n"))
        #expect(try load(migration.text, strict: true).settings().server.port == 81)
    }

    @Test("what is missing and what differs is said") func defaults() throws {
        let text = try migrate("cluster_name: demo\ncloudzero:\n  http_max_retries: 3\n").text
        #expect(text.contains("# region: VALUE  # required here"))
        #expect(text.contains("#   cloudzero.send_timeout: 10s for all attempts together; here 2m"))
        #expect(!text.contains("#   cloudzero.http_max_retries"))
    }

    @Test(arguments: ["", "- a\n", "a: [1\n", "a: 1\na: 2\n", "a: &b c\n"]) func notAMap(yaml: String) {
        #expect(throws: ConfigurationFaults.self) { try migrate(yaml) }
    }
}
