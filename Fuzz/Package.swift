// swift-tools-version: 6.2

import PackageDescription

/// These flags concern this package only; the code under test gets its instrumentation from the
/// command line (README.md).
let fuzzed: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .unsafeFlags(["-parse-as-library", "-sanitize=fuzzer,address"]),
]
let linked: [LinkerSetting] = [.unsafeFlags(["-sanitize=fuzzer,address"])]

let package = Package(
  name: "fuzz",
  dependencies: [
    .package(name: "signalbox", path: ".."),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
  ],
  targets: [
    .target(
      name: "Oracle",
      dependencies: [
        .product(name: "DataPlane", package: "signalbox"),
        .product(name: "NIOCore", package: "swift-nio"),
      ],
      swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]),
    .target(
      name: "LogOracle", dependencies: [.product(name: "EventStore", package: "signalbox")],
      swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]),
    .target(
      name: "BundleOracle",
      dependencies: [
        .product(name: "Domain", package: "signalbox"),
        .product(name: "EventStore", package: "signalbox"),
        .product(name: "Inquiry", package: "signalbox"),
      ],
      swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]),
    .target(name: "CLibFuzzer"),
    .executableTarget(
      name: "RequestFuzz", dependencies: ["Oracle", "CLibFuzzer"], swiftSettings: fuzzed,
      linkerSettings: linked),
    .executableTarget(
      name: "ResponseFuzz", dependencies: ["Oracle", "CLibFuzzer"], swiftSettings: fuzzed,
      linkerSettings: linked),
    .executableTarget(
      name: "SegmentFuzz", dependencies: ["LogOracle", "CLibFuzzer"], swiftSettings: fuzzed,
      linkerSettings: linked),
    .executableTarget(
      name: "RecordFuzz", dependencies: ["LogOracle", "CLibFuzzer"], swiftSettings: fuzzed,
      linkerSettings: linked),
    .executableTarget(
      name: "FooterFuzz", dependencies: ["LogOracle", "CLibFuzzer"], swiftSettings: fuzzed,
      linkerSettings: linked),
    .executableTarget(
      name: "BundleFuzz", dependencies: ["BundleOracle", "CLibFuzzer"], swiftSettings: fuzzed,
      linkerSettings: linked),
  ]
)
