/// The module graph of docs/ARCHITECTURE.md: who may import whom, of the modules of this package.
enum Layers {
    private static let levels: [[String]] = [
        ["CHash", "CLinux", "CSnappy", "CSQLite", "CCurl", "CYAML", "CCrypto", "CCompression", "CRE2"],
        ["Bytes", "JSON", "Snappy", "Digest", "RegularExpressions"],
        ["Samples", "DiskIO", "Metrics", "HTTPServer"],
        ["RemoteWrite", "WAL", "Parquet", "Configuration"],
        ["Ingest", "Compactor", "Ship"],
        ["czctl"],
    ]

    static let ours = Set(levels.joined())

    static func level(of module: String) -> Int {
        levels.firstIndex { $0.contains(module) } ?? levels.count
    }

    static let allowedImports: [String: Set<String>] = [
        "Bytes": ["CHash"],
        "JSON": [],
        "Snappy": ["CSnappy"],
        "Digest": ["CCrypto"],
        "RegularExpressions": ["CRE2"],
        "Samples": ["Bytes", "Snappy"],
        "DiskIO": ["Bytes", "CLinux"],
        "Metrics": [],
        "HTTPServer": ["Digest"],
        "RemoteWrite": ["Bytes", "Snappy", "Samples"],
        "WAL": ["Bytes", "DiskIO"],
        "Parquet": ["Bytes", "Snappy", "Digest", "CCompression"],
        "Configuration": ["CYAML", "RegularExpressions"],
        "Ingest": [
            "Bytes", "Snappy", "Samples", "DiskIO", "Metrics", "HTTPServer", "RegularExpressions", "RemoteWrite", "WAL",
        ],
        "Compactor": ["Bytes", "Digest", "Samples", "DiskIO", "Metrics", "RemoteWrite", "WAL", "Parquet"],
        "Ship": ["Bytes", "CCompression", "CSQLite", "CCurl", "Digest", "DiskIO", "JSON", "Metrics", "Parquet"],
        "czctl": ours.subtracting(["czctl", "CSnappy", "CSQLite", "CCurl", "CYAML", "CCrypto", "CHash", "CRE2"]),
    ]
}
