import Conformance
import EmbeddedTarget
import NVMeProtocol

/// A target that is sound, but not as most are, and how cases of the suite end against it.
struct Variant: Sendable {
  /// What is unusual: "it …".
  let name: String
  /// How the cases must end.
  let ends: [String: End]
  var configuration = TargetConfiguration()
  /// Those under test.
  var namespaces = EmbeddedControl.namespaces
  /// What stands before the target.
  var mutant = Mutant("is sound", fails: [:]) { _ in }

  enum End: Sendable {
    case passed
    /// With this in the reason.
    case skipped(String)
  }

  static let all: [Variant] = [
    // 64 KiB blocks, MDTS 32 KiB.
    Variant(
      "has blocks that no command can move",
      ends: ["io.largest-read": .skipped("a block is longer"), "io.largest-write": .skipped("a block is longer")],
      namespaces: [1: .memory(byteCount: 16 << 20, blockByteCount: 65536)]
    ) { $0.maximumDataTransferExponent = 3 },
    Variant("takes no data in capsules", ends: inCapsule, namespaces: [1: large]) { $0.inCapsuleDataByteCount = 0 },
    Variant("takes half a kilobyte in capsules", ends: inCapsule, namespaces: [1: large]) {
      $0.inCapsuleDataByteCount = 512
    },
    // The capsule's 8192 bytes and one block are below MDTS, 64 KiB, but not much.
    Variant("moves 64 KiB at most", ends: largeWrites, namespaces: [1: large]) { $0.maximumDataTransferExponent = 4 },
    Variant(
      "moves no more than its capsules hold",
      ends: largeWrites.mapValues { _ in .skipped("no write is too long for the capsule") }, namespaces: [1: large]
    ) { $0.maximumDataTransferExponent = 1 },
    Variant(
      "has no more blocks than its capsules hold",
      ends: largeWrites.mapValues { _ in .skipped("no write is too long for the capsule") },
      namespaces: [1: .memory(byteCount: 8192, blockByteCount: 4096)]),
    // NVMe Base 2.1, section 3.3.2.4: where it has no deletion of single I/O queues.
    Variant(
      "ends the association with the connection of an I/O queue",
      ends: ["disconnect.orderly": .passed, "disconnect.queue": .passed],
      mutant: Mutant(
        "ends associations", fails: [:],
        remembering: {
          /// The last connection of an I/O queue that has ended: its admin queue's is an earlier one.
          var ended = 0
          return { passage in
            if passage.isEnd, passage.queueIdentifier ?? 0 != 0 { ended = max(ended, passage.connection) }
            guard passage.queueIdentifier == 0, passage.connection < ended else { return }
            passage.isDropped = true
            passage.isLast = true
          }
        })),
    // As SPDK's does.
    Variant(
      "serves the lower half of CAP", ends: ["admin.property-size": .passed],
      mutant: Mutant("serves the lower half of CAP", fails: [:], Mutant.halvesProperties)),
    Variant(
      "has no discovery service",
      ends: [
        "discovery.log": .skipped("no discovery service on this port"),
        "discovery.no-io-queues": .skipped("no discovery service on this port"),
      ],
      mutant: Mutant(
        "has no discovery service", fails: [:], answers: .connectInvalidParameters,
        to: { $0.connectText(at: 256) == "nqn.2014-08.org.nvmexpress.discovery" })),
    Variant(
      "takes as many event requests as an admin queue holds commands", ends: ["admin.event-limit": .skipped("no room")],
      mutant: Mutant("takes many event requests", fails: [:]) { passage in
        // AERL, 0's based.
        if passage.isReadData, passage.isOf(.controller) { passage.setData(30, at: 259, count: 1) }
      }),
  ]

  private static let large = NamespaceConfiguration.memory(byteCount: 16 << 20, blockByteCount: 4096)

  private static let inCapsule: [String: End] = [
    "io.data-digest": .passed, "io.write-out-of-range": .passed, "operations.unsupported": .passed,
  ]

  private static let largeWrites: [String: End] = [
    "io.data-outside-r2t": .passed, "io.unknown-transfer-tag": .passed, "disconnect.during-write": .passed,
  ]

  private init(
    _ name: String, ends: [String: End], namespaces: [UInt32: NamespaceConfiguration] = EmbeddedControl.namespaces,
    mutant: Mutant = Mutant("is sound", fails: [:]) { _ in },
    _ configure: (inout TargetConfiguration) -> Void = { _ in }
  ) {
    self.name = name
    self.ends = ends
    self.namespaces = namespaces
    self.mutant = mutant
    configure(&configuration)
  }
}
