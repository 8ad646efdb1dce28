// swift-tools-version: 6.2
import PackageDescription

// The house rules of the compiler, stated once for every target.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// One target of a ring. Rings point inwards only: App → Edges → Features → Cluster and Storage → Core.
func ring(
    _ folder: String, _ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(folder)/\(name)", resources: resources,
        swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: "Tests/\(name)", swiftSettings: settings)
}

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

let package = Package(
    name: "martlet",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "martlet", targets: ["martlet"]),
        .executable(name: "martlet-peer-bench", targets: ["PeerBench"]),
        .executable(name: "martlet-hotloops", targets: ["HotLoops"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // Core: vocabulary and byte-level codecs. No I/O.
        ring("Core", "MartletCore"),
        ring("Core", "MartletWire", ["MartletCore", .product(name: "NIOCore", package: "swift-nio")]),

        // Storage: the database port and the event log, with their engines.
        .systemLibrary(
            name: "CLibPQ", path: "Sources/Storage/CLibPQ", pkgConfig: "libpq",
            providers: [.apt(["libpq-dev"]), .brew(["libpq"])]),
        ring(
            "Storage", "MartletSQL",
            [
                "CLibPQ", "MartletCore", logging,
                .product(name: "GRDB", package: "GRDB.swift"), .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]),
        ring(
            "Storage", "MartletLog",
            [
                "MartletCore", "MartletSQL", logging, .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "DequeModule", package: "swift-collections"),
            ]),

        // Cluster: ports between nodes, with their in-process adapters.
        ring("Cluster", "MartletBus", ["MartletCore", logging]),
        ring(
            "Cluster", "MartletRedis",
            [
                "MartletCore", "MartletBus", logging, .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Crypto", package: "swift-crypto"),
            ] + nio),

        // Features: they never import one another.
        ring(
            "Features", "MartletAccounts",
            [
                "MartletCore", "MartletWire", "MartletSQL", "MartletLog", "MartletBus", logging,
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
            ]),
        ring(
            "Features", "MartletSocial",
            ["MartletCore", "MartletWire", "MartletSQL", "MartletLog", "MartletBus", logging]),
        ring(
            "Features", "MartletMessaging",
            ["MartletCore", "MartletWire", "MartletSQL", "MartletLog", "MartletBus", logging]),

        // Edges: what listens.
        ring(
            "Edges", "MartletGateway",
            [
                "MartletCore", "MartletWire", "MartletLog", "MartletBus", "MartletMessaging", logging, lifecycle,
                .product(name: "DequeModule", package: "swift-collections"),
            ] + nio),
        .systemLibrary(
            name: "CZlib", path: "Sources/Edges/CZlib", pkgConfig: "zlib",
            providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        ring(
            "Edges", "MartletAPI",
            [
                "CZlib", "MartletCore", "MartletWire", "MartletBus", "MartletAccounts", "MartletSocial",
                "MartletMessaging", logging,
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        ring(
            "Edges", "MartletWeb", [],
            resources: [.embedInCode("Resources")]),

        // App: the only place that names an adapter.
        ring(
            "App", "MartletServer",
            [
                "MartletCore", "MartletWire", "MartletSQL", "MartletLog", "MartletBus", "MartletRedis",
                "MartletAccounts",
                "MartletSocial",
                "MartletMessaging", "MartletGateway", "MartletAPI", "MartletWeb", logging, lifecycle,
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
            ] + nio),
        ring(
            "App", "MartletBench",
            [
                "MartletCore", "MartletWire", logging,
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ] + nio),
        .executableTarget(
            name: "martlet",
            dependencies: [
                "MartletCore", "MartletWire", "MartletLog", "MartletAccounts", "MartletGateway", "MartletServer",
                "MartletBench", logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/App/martlet",
            swiftSettings: settings),
        // The same load for other servers; nothing that ships depends on it.
        .executableTarget(
            name: "PeerBench",
            dependencies: [
                "MartletCore", "MartletWire", "MartletBench",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + nio,
            path: "Benchmarks/Peers/PeerBench",
            swiftSettings: settings),

        // The hot path in loops, to count its instructions.
        .executableTarget(
            name: "HotLoops",
            dependencies: [
                "MartletCore", "MartletWire", "MartletSQL", "MartletLog", "MartletBus", "MartletMessaging",
                "MartletGateway", logging,
            ] + nio,
            path: "Benchmarks/HotLoops", exclude: ["thresholds.json"], swiftSettings: settings),

        // Tests, beside what they test.
        tests("MartletCoreTests", ["MartletCore"]),
        tests("MartletWireTests", ["MartletCore", "MartletWire", .product(name: "NIOCore", package: "swift-nio")]),
        tests(
            "MartletGatewayTests",
            ["MartletCore", "MartletWire", "MartletGateway", .product(name: "NIOCore", package: "swift-nio")]),
        tests("PageTests", ["EndToEndSupport"]),
        tests(
            "MartletBenchTests",
            [
                "MartletCore", "MartletWire", "MartletBench", .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ]),
        tests(
            "PeerBenchTests",
            [
                "MartletCore", "MartletWire", "MartletBench", "PeerBench",
            ] + nio),
        tests("MartletBusTests", ["MartletCore", "MartletBus"]),
        // Servers that tests start: PostgreSQL, Redis.
        .target(
            name: "MartletTestServices", dependencies: ["MartletCore", "MartletSQL", "MartletLog", logging] + nio,
            path: "Tests/MartletTestServices", swiftSettings: settings),
        tests(
            "MartletRedisTests",
            ["MartletCore", "MartletBus", "MartletRedis", "MartletTestServices", logging] + nio),
        tests(
            "MartletSQLTests",
            [
                "MartletCore", "MartletSQL", "MartletLog", "MartletTestServices", logging,
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]),
        tests(
            "MartletLogTests",
            [
                "MartletCore", "MartletSQL", "MartletLog", "MartletTestServices", logging,
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]),
        tests(
            "MartletAccountsTests",
            [
                "MartletCore", "MartletSQL", "MartletLog", "MartletBus", "MartletAccounts", "MartletTestServices",
                logging, .product(name: "Crypto", package: "swift-crypto"),
            ]),
        tests(
            "MartletMessagingTests",
            [
                "MartletCore", "MartletWire", "MartletSQL", "MartletLog", "MartletBus", "MartletMessaging",
                "MartletTestServices",
            ]),
        tests(
            "MartletSocialTests",
            [
                "MartletCore", "MartletWire", "MartletSQL", "MartletLog", "MartletBus", "MartletSocial",
                "MartletTestServices",
            ]),
        // End to end: a harness for real processes, and what is tried on them.
        .target(
            name: "EndToEndSupport",
            dependencies: [
                "MartletWire", "MartletTestServices", .product(name: "NIOHTTP1", package: "swift-nio"),
            ] + nio,
            path: "Tests/EndToEndSupport", swiftSettings: settings),
        tests("EndToEnd", ["EndToEndSupport", "MartletWire"]),
        tests(
            "ClusterTests",
            ["EndToEndSupport", "MartletCore", "MartletSQL", "MartletTestServices", "MartletWire"]),
        tests("AccessTests", ["EndToEndSupport", "MartletTestSupport", "MartletWire", "MartletCore"] + nio),
        .target(
            name: "MartletTestSupport", dependencies: ["MartletCore", "MartletWire"], path: "Tests/MartletTestSupport",
            swiftSettings: settings),
        tests(
            "MartletAPITests",
            [
                "CZlib", "MartletCore", "MartletWire", "MartletBus", "MartletAPI", "MartletTestSupport", logging,
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
            ] + nio),
        tests(
            "MartletServerTests",
            [
                "MartletCore", "MartletWire", "MartletSQL", "MartletBus", "MartletAccounts", "MartletAPI",
                "MartletGateway", "MartletLog", "MartletMessaging", "MartletSocial", "MartletTestServices",
                "MartletServer", logging,
            ]),
    ]
)
