// swift-tools-version: 6.2
import PackageDescription

/// The settings of every target of ours. Tests drop strict memory safety: a test may load bytes plainly.
let testSettings: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
]
/// `_StringProcessing` is imported unasked, and one call of it links 0.4 MB into the image (docs/decisions/0006):
/// without that import such a call does not compile.
let strict: [SwiftSetting] =
    testSettings + [
        .strictMemorySafety(),
        .unsafeFlags(["-Xfrontend", "-disable-implicit-string-processing-module-import"]),
    ]
/// Tens of thousands of simulated lives run through these modules in `make test`: they are optimised in debug builds
/// too, with their assertions on.
let optimized: [SwiftSetting] = [.unsafeFlags(["-O", "-assert-config", "Debug"], .when(configuration: .debug))]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
/// Only with the trait `TLS`: a build without it is smaller by 1.6 MB compressed, and refuses `tls.*`.
let nioSSL: Target.Dependency = .product(
    name: "NIOSSL", package: "swift-nio-ssl", condition: .when(traits: ["TLS"]))
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

// L0: leaves, and the shims of C libraries.
let leaves: [Target] = [
    .target(name: "CHash"),
    .target(name: "CLinux"),
    .systemLibrary(name: "CSnappy"),
    .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(
        name: "CCompression",
        linkerSettings: [.linkedLibrary("z"), .linkedLibrary("zstd"), .linkedLibrary("brotlidec")]),
    .target(name: "CRE2", linkerSettings: [.linkedLibrary("re2")]),
    .target(name: "RegularExpressions", dependencies: ["CRE2"], swiftSettings: strict + optimized),
    .target(name: "JSON", swiftSettings: strict),
    .target(name: "Bytes", dependencies: ["CHash"], swiftSettings: strict + optimized),
    .target(name: "Snappy", dependencies: ["CSnappy"], swiftSettings: strict + optimized),
    .target(name: "Digest", dependencies: ["CCrypto"], swiftSettings: strict + optimized),
]

// L1: ground.
let ground: [Target] = [
    .target(name: "Samples", dependencies: ["Bytes", "Snappy"], swiftSettings: strict + optimized),
    .target(name: "DiskIO", dependencies: ["CLinux"], swiftSettings: strict + optimized),
    .target(name: "Metrics", swiftSettings: strict + optimized),
    .target(name: "HTTPServer", dependencies: ["Digest", nioCore, nioPosix, nioHTTP1, nioSSL], swiftSettings: strict),
]

// L2: formats. They never import each other.
let formats: [Target] = [
    .target(name: "RemoteWrite", dependencies: ["Bytes", "Snappy", "Samples"], swiftSettings: strict + optimized),
    .target(name: "WAL", dependencies: ["Bytes", "DiskIO"], swiftSettings: strict + optimized),
    .target(
        name: "Parquet", dependencies: ["Bytes", "Snappy", "Digest", "CCompression"],
        swiftSettings: strict + optimized),
    .target(name: "Configuration", dependencies: ["CYAML", "RegularExpressions"], swiftSettings: strict),
]

// L3: services. They never import each other.
let services: [Target] = [
    .target(
        name: "Ingest",
        dependencies: [
            "Bytes", "Snappy", "Samples", "DiskIO", "Metrics", "HTTPServer", "RegularExpressions", "RemoteWrite", "WAL",
            nioCore, nioHTTP1, logging,
        ],
        swiftSettings: strict + optimized),
    .target(
        name: "Compactor",
        dependencies: ["Bytes", "Digest", "Samples", "DiskIO", "Metrics", "RemoteWrite", "WAL", "Parquet", logging],
        swiftSettings: strict + optimized),
    .target(
        name: "Ship",
        dependencies: [
            "Bytes", "CCompression", "CSQLite", "CCurl", "Digest", "DiskIO", "JSON", "Metrics", "Parquet", logging,
        ],
        swiftSettings: strict + optimized),
]

// L4: the program.
let program: [Target] = [
    .executableTarget(
        name: "czctl",
        dependencies: [
            "Bytes", "JSON", "Snappy", "Digest", "Samples", "DiskIO", "Metrics", "HTTPServer", "RemoteWrite", "WAL",
            "Parquet", "Configuration", "Ingest", "Compactor", "Ship", "CCompression", "CLinux", nioCore, nioPosix,
            nioHTTP1,
            logging,
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        resources: [.embedInCode("Service/StatusPage.html")],
        swiftSettings: strict)
]

let tests: [Target] = [
    .target(
        name: "TestKit", dependencies: ["DiskIO", "WAL", "Bytes"], path: "Tests/TestKit",
        swiftSettings: testSettings + optimized),
    .target(name: "CAllocations", path: "Tests/CAllocations"),
    .testTarget(
        name: "BytesTests", dependencies: ["Bytes", "Digest", "JSON", "Snappy"], swiftSettings: testSettings),
    .testTarget(
        name: "ParquetTests", dependencies: ["Parquet", "Bytes", "Snappy", "Digest"], swiftSettings: testSettings),
    .testTarget(name: "ConfigurationTests", dependencies: ["Configuration"], swiftSettings: testSettings),
    .testTarget(
        name: "RemoteWriteTests",
        dependencies: ["CAllocations", "TestKit", "RemoteWrite", "Samples", "Snappy", "Bytes"],
        swiftSettings: testSettings),
    .testTarget(name: "WALTests", dependencies: ["TestKit", "WAL", "DiskIO", "Bytes"], swiftSettings: testSettings),
    .testTarget(
        name: "CompactorTests",
        dependencies: [
            "TestKit", "Compactor", "WAL", "DiskIO", "Samples", "Parquet", "Bytes", "Digest", "Metrics", logging,
        ],
        swiftSettings: testSettings),
    .testTarget(
        name: "ShipTests", dependencies: ["Ship", "DiskIO", "Digest", "Parquet", "Metrics", "CSQLite", logging],
        swiftSettings: testSettings),
    .testTarget(
        name: "IngestTests",
        dependencies: [
            "TestKit", "Ingest", "HTTPServer", "RemoteWrite", "Samples", "Snappy", "Bytes", "WAL", "DiskIO", "Metrics",
            "RegularExpressions", nioCore, nioPosix, nioHTTP1, logging,
        ],
        swiftSettings: testSettings),
    .testTarget(
        name: "SimulationTests",
        dependencies: [
            "TestKit", "Ingest", "Compactor", "Ship", "WAL", "Parquet", "Samples", "RemoteWrite", "Snappy", "Bytes",
            "Digest", "DiskIO", "Metrics", "HTTPServer", nioCore, nioHTTP1,
            .product(name: "NIOEmbedded", package: "swift-nio"), logging,
        ],
        swiftSettings: testSettings + optimized),
    .testTarget(name: "RepositoryTests", swiftSettings: testSettings),
]

/// libFuzzer brings the program's main, so a plain build could not link these: only scripts/fuzz.sh asks for them.
let fuzzing: [Target] =
    Context.environment["CIRRUS_FUZZ"] == nil
    ? []
    : [
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "TestKit", "Bytes", "Snappy", "CSnappy", "Samples", "DiskIO", "RemoteWrite", "WAL", "Parquet",
                "Configuration", "HTTPServer", nioCore, nioHTTP1, .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            path: "Fuzz/Targets", swiftSettings: testSettings)
    ]

/// Only Benchmarks/parquet.py asks for it: no product of ours.
let benchmarks: [Target] =
    Context.environment["CIRRUS_BENCH"] == nil
    ? []
    : [
        .executableTarget(
            name: "parquet-bench",
            dependencies: ["Bytes", "CLinux", "Samples", "DiskIO", "Metrics", "WAL", "Parquet", "Compactor", logging],
            path: "Benchmarks/Parquet", swiftSettings: testSettings)
    ]

let package = Package(
    name: "cirrus",
    products: [.executable(name: "czctl", targets: ["czctl"])],
    traits: [
        .trait(name: "TLS", description: "TLS of the receiver: tls.* of the configuration"),
        .default(enabledTraits: ["TLS"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
    ],
    targets: leaves + ground + formats + services + program + tests + fuzzing + benchmarks,
    swiftLanguageModes: [.v6]
)
