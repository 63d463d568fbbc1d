// swift-tools-version: 6.2

import PackageDescription

/// Every target is built with the same strictness; a warning anywhere fails the build.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  .treatAllWarnings(as: .error),
  // Without the first generics do not specialise across targets, and the house has many; the second leaves
  // out run-time checks of exclusive access, which debug builds and so all unit tests make (ARCHITECTURE.md).
  .unsafeFlags(
    ["-cross-module-optimization", "-enforce-exclusivity=unchecked"],
    .when(configuration: .release)),
]

let nio = "swift-nio"

let package = Package(
  name: "signalbox",
  products: [
    .executable(name: "signalbox", targets: ["signalbox"]),
    .executable(name: "replay", targets: ["replay"]),
    .executable(name: "simulator", targets: ["simulator"]),
    // For the packages under Benchmarks/ and Fuzz/ only.
    .library(name: "Domain", targets: ["Domain"]),
    .library(name: "EventStore", targets: ["EventStore"]),
    .library(name: "Inquiry", targets: ["Inquiry"]),
    .library(name: "Surface", targets: ["Surface"]),
    .library(name: "Views", targets: ["Views"]),
    .library(name: "DataPlane", targets: ["DataPlane"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(
      url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
  ],
  targets: [
    // Decisions: pure, deterministic, importing nothing.
    .target(name: "Domain", swiftSettings: strict),

    // The log. Knows nothing of gateways.
    .target(
      name: "EventStore",
      dependencies: ["CLZ4", "CFast"],
      swiftSettings: strict),

    .target(name: "Surface", dependencies: ["Domain"], swiftSettings: strict),
    // One protocol of language models into another, without I/O.
    .target(name: "Translation", dependencies: ["Domain", "Surface"], swiftSettings: strict),
    // What is counted for monitors, and how it is told to them.
    .target(name: "Telemetry", dependencies: ["Domain"], swiftSettings: strict),
    // Tables that follow from the log and can be deleted.
    .target(
      name: "Views",
      dependencies: [
        "Domain", .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: strict),
    .target(
      name: "ConfigFile",
      dependencies: ["Domain", .product(name: "Yams", package: "Yams")],
      swiftSettings: strict),
    .target(
      name: "Inquiry",
      dependencies: [
        "Domain", "EventStore", "Views", "ConfigFile",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: strict),
    .target(
      name: "ControlPlane",
      dependencies: [
        "Domain", "EventStore", "Surface", "Views", "ConfigFile", "Inquiry", "Telemetry",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "CryptoExtras", package: "swift-crypto"),
        .product(name: "Hummingbird", package: "hummingbird"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "JWTKit", package: "jwt-kit"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: nio),
      ],
      swiftSettings: strict),
    .target(
      name: "DataPlane",
      dependencies: [
        "Domain", "EventStore", "Surface", "Translation",
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: nio),
        .product(name: "NIOPosix", package: nio),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: strict),

    // The only place where concrete types of both planes meet.
    .executableTarget(
      name: "signalbox",
      dependencies: [
        "Domain", "EventStore", "Surface", "ConfigFile", "ControlPlane", "DataPlane", "Inquiry",
        "CFast",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: nio),
        .product(name: "NIOHTTP1", package: nio),
        .product(name: "NIOPosix", package: nio),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: strict),
    // Parses arguments and calls Inquiry: no network stack in this binary.
    .executableTarget(
      name: "replay",
      dependencies: [
        "Domain", "EventStore", "Inquiry",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "simulator",
      dependencies: [
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "NIOCore", package: nio),
        .product(name: "NIOPosix", package: nio),
        .product(name: "NIOHTTP1", package: nio),
        .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: strict),

    .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
    .target(name: "CFast"),

    .target(
      name: "Support",
      dependencies: ["EventStore"],
      path: "Tests/Support", swiftSettings: strict),
    .testTarget(name: "DomainTests", dependencies: ["Domain", "Support"], swiftSettings: strict),
    // Does to the log what the world may do to it; part of it appends until it is killed.
    .executableTarget(
      name: "torture",
      dependencies: [
        "EventStore", "Support",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tests/Torture", swiftSettings: strict),
    // Plays the case book under the older gateways' merge rule and ours: no binary that is given out has the former.
    .executableTarget(
      name: "casebook",
      dependencies: [
        "Domain", "EventStore", "Surface",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tests/CaseBook", swiftSettings: strict),
    .testTarget(
      name: "EventStoreTests",
      dependencies: [
        "EventStore", "CFast", "Support", "torture",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "TranslationTests", dependencies: ["Translation", "Domain", "Surface", "Support"],
      swiftSettings: strict),
    .testTarget(
      name: "SurfaceTests", dependencies: ["Surface", "Domain", "Support"], swiftSettings: strict),
    .testTarget(
      name: "ViewsTests",
      dependencies: [
        "Views", "Domain", "Support", .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "TelemetryTests", dependencies: ["Telemetry", "Domain", "Support"],
      swiftSettings: strict),
    .testTarget(
      name: "ConfigFileTests", dependencies: ["ConfigFile", "Domain", "Support"],
      swiftSettings: strict),
    .testTarget(
      name: "InquiryTests",
      dependencies: [
        "Inquiry", "Domain", "EventStore", "Support", "Views",
        .product(name: "Crypto", package: "swift-crypto"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ControlPlaneTests",
      dependencies: [
        "ControlPlane", "ConfigFile", "Domain", "EventStore", "Inquiry", "Surface", "Support",
        "Telemetry", "Views",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "HTTPTypes", package: "swift-http-types"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: nio),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "SignalboxTests",
      dependencies: [
        "signalbox", "ControlPlane", "Domain", "EventStore", "Surface",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "DataPlaneTests",
      dependencies: [
        "DataPlane", "Domain", "EventStore", "Surface", "Support", "Translation",
        .product(name: "NIOCore", package: nio),
        .product(name: "NIOPosix", package: nio),
        .product(name: "NIOEmbedded", package: nio),
        .product(name: "NIOHTTP1", package: nio),
        .product(name: "NIOSSL", package: "swift-nio-ssl"),
      ],
      swiftSettings: strict),
  ]
)
