// swift-tools-version: 6.3
import PackageDescription

// One list of settings for every Swift target: the strictest the tool chain offers that dependencies survive too.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")

let package = Package(
  name: "swift-nvmeof",
  products: [
    .library(name: "BlockDevice", targets: ["BlockDevice"]),
    .library(name: "NVMeProtocol", targets: ["NVMeProtocol", "NVMeTCPProtocol"]),
    .library(name: "EmbeddedTarget", targets: ["EmbeddedTarget"]),
    .library(name: "NBDServer", targets: ["BlockExport", "NBDServer"]),
    .executable(name: "nvmeof-bench", targets: ["Bench"]),
    .executable(name: "nvmeof", targets: ["CommandLineTool"]),
    .executable(name: "nvmeofd", targets: ["DaemonTool"]),
    .executable(name: "nvmeof-conformance", targets: ["ConformanceTool"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    // C shims: liburing's static inlines, CRC32C with the processor's instructions, and OpenSSL 3.
    .target(name: "CLiburing", linkerSettings: [.linkedLibrary("uring")]),
    .target(name: "CCRC32C"),
    .target(name: "COpenSSL", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),

    // Sans-I/O: bytes and time in, actions out. No Foundation, no Glibc.
    .target(name: "NVMeProtocol", swiftSettings: strict),
    .target(name: "NVMeTCPProtocol", dependencies: ["NVMeProtocol", "CCRC32C"], swiftSettings: strict),

    // TLS, sans-I/O, apart from whatever is spoken over it.
    .target(name: "TLS", dependencies: ["COpenSSL"], swiftSettings: strict),

    // The ring, the reactor, sockets on them.
    .target(name: "RingReactor", dependencies: ["CLiburing", heap], swiftSettings: strict),

    // JSON, strict and bounded, and JSON-RPC on it: sans-I/O.
    .target(name: "JSON", swiftSettings: strict),
    .target(name: "JSONRPC", dependencies: ["JSON"], swiftSettings: strict),

    // The host: controllers and queue pairs over any transport; TCP is one.
    .target(name: "NVMeHost", dependencies: ["NVMeProtocol", "RingReactor", logging], swiftSettings: strict),
    .target(
      name: "TCPTransport", dependencies: ["NVMeProtocol", "NVMeTCPProtocol", "NVMeHost", "RingReactor"],
      swiftSettings: strict),

    // The public interface.
    .target(
      name: "BlockDevice", dependencies: ["NVMeProtocol", "NVMeHost", "TCPTransport", "RingReactor", "CLiburing"],
      swiftSettings: strict),

    // What is exported, apart from any wire; and one wire.
    .target(name: "BlockExport", dependencies: ["BlockDevice", "RingReactor"], swiftSettings: strict),
    .target(name: "NBDProtocol", dependencies: ["NVMeProtocol"], swiftSettings: strict),
    .target(
      name: "NBDServer",
      dependencies: ["BlockExport", "BlockDevice", "NBDProtocol", "NVMeProtocol", "RingReactor", "TLS", logging],
      swiftSettings: strict),

    // For tests, demonstrations and benchmarks.
    .target(
      name: "EmbeddedTarget", dependencies: ["CCRC32C", "NVMeProtocol", "NVMeTCPProtocol", "RingReactor", logging],
      swiftSettings: strict),

    // The daemon: controllers and block devices behind JSON-RPC.
    .target(
      name: "Daemon",
      dependencies: [
        "BlockDevice", "BlockExport", "JSONRPC", "NBDProtocol", "NBDServer", "NVMeHost", "NVMeProtocol", "RingReactor",
        "TLS", "CLiburing", logging,
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "DaemonTool", dependencies: ["Daemon", "NBDServer", "ToolOutput", "ToolSupport", argumentParser, logging],
      swiftSettings: strict),

    // Tools.
    .target(name: "ToolOutput", swiftSettings: strict),
    .target(
      name: "ToolSupport", dependencies: ["NBDProtocol", "NBDServer", "ToolOutput", argumentParser],
      swiftSettings: strict),
    .target(
      name: "BenchmarkCore",
      dependencies: ["BlockDevice", "EmbeddedTarget", "JSON", "RingReactor", "ToolOutput", "CCRC32C"],
      swiftSettings: strict),
    .executableTarget(
      name: "Bench", dependencies: ["BenchmarkCore", "ToolOutput", argumentParser], swiftSettings: strict),
    .executableTarget(
      name: "CommandLineTool",
      dependencies: [
        "BlockDevice", "BlockExport", "EmbeddedTarget", "JSON", "NBDServer", "NBDProtocol", "NVMeProtocol", "TLS",
        "ToolOutput", "ToolSupport", argumentParser, logging,
      ],
      swiftSettings: strict),
    .target(
      name: "Conformance",
      dependencies: [
        "BlockDevice", "NVMeProtocol", "NVMeTCPProtocol", "NVMeHost", "TCPTransport", "RingReactor", "CCRC32C",
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "ConformanceTool",
      dependencies: ["Conformance", "BlockDevice", "NVMeHost", "ToolOutput", "ToolSupport", argumentParser],
      swiftSettings: strict),

    // For the two gates: a server of NBD and its client on one thread.
    .target(
      name: "NBDLoopback", dependencies: ["BlockDevice", "BlockExport", "NBDProtocol", "NBDServer", "TLS"],
      path: "Tests/NBDLoopback", swiftSettings: strict),

    // The allocation gate: an executable, because it interposes the allocator and is only worth something optimized.
    .target(name: "AllocationCounter", path: "Tests/AllocationGate/Counter"),
    .executableTarget(
      name: "AllocationGate",
      dependencies: [
        "AllocationCounter", "BlockDevice", "COpenSSL", "EmbeddedTarget", "NBDLoopback", "TLS", "TestCertificates",
        "TestSupport",
      ],
      path: "Tests/AllocationGate/Sources", swiftSettings: strict),

    // The instruction gate: an executable, because it is run under callgrind and is only worth something optimized.
    .executableTarget(
      name: "InstructionGate",
      dependencies: ["BlockDevice", "NBDLoopback", "NVMeProtocol", "NVMeTCPProtocol", "CCRC32C"],
      path: "Tests/InstructionGate/Sources", swiftSettings: strict),

    // The attach gate: an executable, because nothing else may allocate while it measures.
    .target(name: "CMemoryUse", path: "Tests/CMemoryUse"),
    .executableTarget(
      name: "AttachGate", dependencies: ["CMemoryUse", "BlockDevice", "EmbeddedTarget"],
      path: "Tests/AttachGate/Sources", swiftSettings: strict),

    // Tests, and what several of them use. NvmetGuest boots a real Linux target for them.
    .target(name: "TestSupport", dependencies: [logging], path: "Tests/TestSupport", swiftSettings: strict),
    .target(name: "NvmetGuest", path: "Tests/NvmetGuest/Sources", swiftSettings: strict),
    .testTarget(name: "NVMeProtocolTests", dependencies: ["NVMeProtocol", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "NVMeTCPProtocolTests", dependencies: ["NVMeTCPProtocol", "CCRC32C", "TestSupport"], swiftSettings: strict),
    .target(name: "CEpoll", path: "Tests/CEpoll"),
    .testTarget(
      name: "RingReactorTests", dependencies: ["RingReactor", "CEpoll", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "TCPTransportTests",
      dependencies: ["BlockDevice", "TCPTransport", "NVMeHost", "NVMeTCPProtocol", "RingReactor", "TestSupport"],
      swiftSettings: strict),
    .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: strict),
    .testTarget(name: "JSONRPCTests", dependencies: ["JSONRPC"], swiftSettings: strict),
    .testTarget(
      name: "DaemonTests",
      dependencies: [
        "JSON", "JSONRPC", "Daemon", "BlockDevice", "EmbeddedTarget", "NBDServer", "RingReactor", "TestSupport",
        logging,
      ],
      swiftSettings: strict),
    .testTarget(name: "NVMeHostTests", dependencies: ["NVMeHost", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "BlockDeviceTests", dependencies: ["BlockDevice", "EmbeddedTarget", "AttachGate", "TestSupport"],
      swiftSettings: strict),
    // The initiator's decisions in a world made from a seed.
    .target(
      name: "Simulation",
      dependencies: [
        "BlockDevice", "EmbeddedTarget", "NVMeProtocol", "NVMeTCPProtocol", "RingReactor", "CCRC32C", heap,
      ],
      path: "Tests/Simulation/Sources", swiftSettings: strict),
    .executableTarget(
      name: "simulate", dependencies: ["BlockDevice", "Simulation"], path: "Tests/Simulation/Tool",
      swiftSettings: strict),
    .testTarget(name: "SimulationTests", dependencies: ["BlockDevice", "Simulation"], swiftSettings: strict),
    .testTarget(name: "BlockExportTests", dependencies: ["BlockExport", "BlockDevice"], swiftSettings: strict),
    .target(
      name: "CTestCertificates", path: "Tests/CTestCertificates",
      linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    .target(
      name: "TestCertificates", dependencies: ["CTestCertificates"], path: "Tests/TestCertificates",
      swiftSettings: strict),
    .testTarget(
      name: "TLSTests", dependencies: ["COpenSSL", "TLS", "TestCertificates", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "NBDProtocolTests", dependencies: ["NBDProtocol", "NVMeProtocol", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "NBDServerTests",
      dependencies: [
        "NBDServer", "NBDProtocol", "BlockExport", "BlockDevice", "RingReactor", "TLS", "CMemoryUse",
        "TestCertificates", "TestSupport", logging,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "EmbeddedTargetTests", dependencies: ["EmbeddedTarget", "BlockDevice", "TestSupport"], swiftSettings: strict
    ),
    .testTarget(
      name: "BenchmarkCoreTests",
      dependencies: ["BenchmarkCore", "BlockDevice", "EmbeddedTarget", "JSON", "ToolOutput"],
      swiftSettings: strict),
    // Whole processes and virtual machines.
    .testTarget(name: "DaemonEndToEndTests", dependencies: ["DaemonTool", "NvmetGuest"], swiftSettings: strict),
    .testTarget(
      name: "CommandLineToolTests", dependencies: ["CommandLineTool", "JSON", "TestSupport", "ToolSupport"],
      swiftSettings: strict),
    .testTarget(
      name: "ConformanceTests",
      dependencies: [
        "Conformance", "ConformanceTool", "EmbeddedTarget", "NvmetGuest", "BlockDevice", "NVMeProtocol",
        "NVMeTCPProtocol", "CCRC32C", "TestSupport",
      ],
      swiftSettings: strict),
  ]
)
