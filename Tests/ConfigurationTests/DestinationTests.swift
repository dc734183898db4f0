import Configuration
import Testing

@Suite struct DestinationTests {
    @Test func s3() throws {
        let yaml = """
            cluster_name: demo
            destination:
              kind: s3
              bucket: my-bucket
              endpoint: http://127.0.0.1:5000
              prefix: /a/b/
              path_style: yes
              access_key_file: /k/id
              secret_key_file: /k/secret
              sse: aes256
              layout: native
            """
        let destination = try load(yaml).settings().destinations[0]
        #expect(destination.kind == .s3 && destination.bucket == "my-bucket" && destination.prefix == "a/b")
        #expect(destination.region == "us-east-1" && destination.pathStyle && destination.encryption == .aes256)
        #expect(destination.layout == .native && destination.name == "s3")
    }

    @Test("the bucket's region falls back to AWS' own variables") func region() throws {
        let yaml = minimal + "destination: {kind: s3, bucket: my-bucket}\n"
        let settings = try load(yaml, environment: ["AWS_DEFAULT_REGION": "eu-west-1"]).settings()
        #expect(settings.destinations[0].region == "eu-west-1")
    }

    @Test func list() throws {
        let yaml = """
            cluster_name: demo
            destinations:
              - kind: directory
                path: /lake
              - kind: s3
                name: archive
                bucket: my-bucket
                region: eu-west-1
            """
        let loaded = try load(yaml).loaded()
        #expect(loaded.settings.destinations.map(\.name) == ["directory", "archive"])
        #expect(loaded.settings.destinations[0].path == "/lake")
        let rows = loaded.describe().filter { $0.key.hasPrefix("destinations[1]") && $0.origin != "default" }
        #expect(rows.map(\.key) == ["kind", "name", "bucket", "region"].map { "destinations[1].\($0)" })
        #expect(rows.map(\.origin) == ["file:5", "file:6", "file:7", "file:8"])
        #expect(!loaded.describe().contains { $0.key.hasPrefix("destination.") })
    }

    static let refused: [(String, [String])] = [
        (
            "cloudzero: {api_key_path: /key}\n",
            [
                "config.yml: cloud_account_id: is required by destination of kind cloudzero (or set CLOUD_ACCOUNT_ID)",
                "config.yml: region: is required by destination of kind cloudzero (or set CSP_REGION)",
            ]
        ),
        (
            "cloud_account_id: a\nregion: b\ndestination: {kind: cloudzero, layout: native}\n",
            [
                "config.yml:4:40: destination.layout: destination cloudzero takes layout cloudzero only",
                "config.yml: cloudzero.api_key_path: "
                    + "is required by destination of kind cloudzero (or set API_KEY_PATH)",
            ]
        ),
        (
            "destination: {kind: s3}\n",
            [
                "config.yml:2:21: destination.kind: destination s3 needs destination.bucket",
                "config.yml:2:21: destination.kind: destination s3 needs destination.region (or AWS_REGION)",
            ]
        ),
        (
            "destination: {kind: s3, bucket: my-bucket, region: a, access_key_file: /k}\n",
            ["config.yml:2:72: destination.access_key_file: needs destination.secret_key_file"]
        ),
        (
            "destination: {bucket: my-bucket}\n",
            ["config.yml:2:23: destination.bucket: is for kind s3, but the kind here is directory"]
        ),
        (
            "destination: {path: /cloudzero/data}\n",
            [
                "config.yml:2:21: destination.path: is database.storage_path itself; "
                    + "give the files a directory of their own"
            ]
        ),
        (
            "destination: {kind: s4}\n",
            ["config.yml:2:21: destination.kind: \"s4\" is not one of cloudzero, s3, directory (did you mean s3?)"]
        ),
        (
            "destination: directory\n",
            ["config.yml:2:14: destination: must be a map of keys, not a value"]
        ),
        (
            "destination: {path: /a}\ndestinations: [{path: /b}]\n",
            [
                "config.yml:2:21: destination.path: sets the one destination, "
                    + "but the file has a list of them in destinations"
            ]
        ),
        (
            "destinations: [{path: /a}, {path: /b}]\n",
            ["config.yml:2:28: destinations[1]: destinations[0] is called \"directory\" too; give each its own name"]
        ),
        (
            "destinations: [{path: /a}, {name: b, path: /b, layout: native}]\n",
            [
                "config.yml:2:56: destinations[1].layout: "
                    + "all destinations take the same files; give each of them the same layout"
            ]
        ),
        (
            "parquet: {promoted_labels: [pod, Value]}\n",
            [
                "config.yml:2:28: parquet.promoted_labels: \"Value\" would be a second column \"value\"; "
                    + "query engines do not tell case apart"
            ]
        ),
        (
            "parquet: {promoted_labels: [pod, POD]}\n",
            [
                "config.yml:2:28: parquet.promoted_labels: \"POD\" would be a second column \"pod\"; "
                    + "query engines do not tell case apart"
            ]
        ),
        (
            "parquet: {promoted_labels: [cluster]}\n"
                + "destinations: [{kind: s3, bucket: lake, region: r, prefix: a/Cluster=b, layout: native}]\n",
            [
                "config.yml:2:28: parquet.promoted_labels: \"cluster\" would be a second column \"Cluster\"; "
                    + "query engines do not tell case apart"
            ]
        ),
        (
            "cloudzero: {host: 'http://127.0.0.1:80'}\n",
            [
                "config.yml:2:19: cloudzero.host: says http://, but HTTPS is spoken; leave it out, "
                    + "or set cloudzero.use_http: true"
            ]
        ),
        (
            "parquet: {promoted_labels: [k8s_pod, 8pod]}\n",
            [
                "config.yml:2:38: parquet.promoted_labels: \"8pod\" is not a label name "
                    + "(letters, digits and underscores, no digit first)"
            ]
        ),
        ("destinations: []\n", ["config.yml:2:15: destinations: must be a list of 1 to 16 maps"]),
        ("destinations: [/a]\n", ["config.yml:2:16: destinations[0]: must be a map of keys, not a value"]),
        (
            "destinations: [{kind: s3, bucket: x}]\n",
            [
                "config.yml:2:23: destinations[0].kind: destination s3 needs destinations[0].bucket",
                "config.yml:2:23: destinations[0].kind: destination s3 needs destinations[0].region (or AWS_REGION)",
                "config.yml:2:35: destinations[0].bucket: \"x\" is not a bucket name "
                    + "(3 to 63 letters, digits, dots and hyphens)",
            ]
        ),
    ]

    @Test("what a destination lacks is said where it stands", arguments: refused)
    func refuses(yaml: String, lines: [String]) {
        #expect(load(minimal + yaml).faultLines == lines)
    }

    @Test("a variable of the one destination beside a list is refused") func variableBesideList() {
        let lines = load(minimal + "destinations: [{path: /a}]\n", environment: ["DESTINATION_PATH": "/b"]).faultLines
        #expect(
            lines == [
                "env DESTINATION_PATH: destination.path: sets the one destination, "
                    + "but the file has a list of them in destinations"
            ])
    }

    @Test("a tool needs none of what a service needs") func tool() throws {
        #expect(try load("cloudzero: {api_key_path: /key}\n", role: .tool).settings().clusterName == "")
    }
}
