import BlockDevice
@testable import Daemon
import EmbeddedTarget
import Glibc
import JSONRPC
import Synchronization
import TestSupport
import Testing

/// Everything at once, from a seed: attach, detach, reset, enable, disable, discovery, policies and reads of state beside
/// I/O, while connections are reset and namespaces come and go. At the end nothing is left.
@Suite(.timeLimit(.minutes(5)), .serialized) struct StormTests {
  private static let names = ["a", "b", "c"]
  /// What the storm may bring; anything else is a mistake.
  private static let expectedErrors: Set<Int> = [
    -Int(ENODEV), -Int(ENXIO), -Int(EBUSY), -Int(EALREADY), -Int(EEXIST), -Int(EIO), -Int(ETIMEDOUT), -Int(EINVAL),
    -Int(EPERM), -Int(ENOENT), -Int(ECANCELED), -32603,
  ]

  private static func nqn(_ name: String) -> String { "nqn.x:\(name)" }

  /// NVMEOFD_STORM_SEEDS=n tries so many more.
  private static var seeds: ClosedRange<UInt64> {
    1...(getenv("NVMEOFD_STORM_SEEDS").flatMap { UInt64(String(cString: $0)) } ?? 3)
  }

  @Test(arguments: seeds) func storm(_ seed: UInt64) async throws {
    let progress = StormProgress(seed: seed)
    defer { progress.end() }
    let bed = try await NVMeBed(reactorCount: 2)
    let second = try await bed.target.addPort()
    for name in Self.names {
      var subsystem = SubsystemConfiguration(nqn: Self.nqn(name))
      subsystem.namespaces = [1: .memory(byteCount: 1 << 20), 4: .memory(byteCount: 1 << 20)]
      try await bed.target.addSubsystem(subsystem)
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in 0..<6 {
        group.addTask {
          var generator = SplitMix64(seed: seed &* 1000 &+ UInt64(worker))
          for _ in 0..<40 {
            try await Self.step(bed, [bed.port, second], &generator) { progress.note($0, of: worker) }
          }
          progress.note("done", of: worker)
        }
      }
      // What only reads always answers.
      group.addTask {
        for _ in 0..<300 {
          for method in [
            "bdev_get_bdevs", "bdev_nvme_get_controllers", "bdev_nvme_get_io_paths", "bdev_nvme_get_discovery_info",
            "bdev_nvme_get_transport_statistics",
          ] { try await bed.call(method, nil) }
          // While nothing is marked as changed, nothing has: what is listed is what there is.
          let revision = Revision.current
          let now = bed.devicesNow
          let listed = try await bed.call("bdev_get_bdevs", nil)
          if Revision.current == revision { #expect(listed == now) }
          _ = NVMeConfiguration.entries(of: bed.service.controllers)
          await Task.yield()
        }
      }
      try await group.waitForAll()
    }
    // Once the storm is over everything is as it should be.
    for discovery in bed.service.controllers.discoveries {
      try await bed.call("bdev_nvme_stop_discovery", ["name": .string(discovery.name)])
    }
    for set in bed.service.controllers.sets {
      try await bed.call("bdev_nvme_detach_controller", ["name": .string(set.name)])
    }
    #expect(bed.service.controllers.sets.isEmpty && bed.deviceNames.isEmpty)
    let port = bed.port.port
    try await bed.attach("again", ["subnqn": .string(Self.nqn("a"))])
    let device = try #require(bed.device("againn1"))
    try await device.write(at: 0, pattern(4096, seed: seed))
    #expect(try await device.read(at: 0, blockCount: 8) == pattern(4096, seed: seed))
    try await bed.call("bdev_nvme_detach_controller", ["name": "again"])
    try await eventually { Self.connections(to: [port, second.port]) == 0 }
    let left = try await bed.end()
    #expect(left == 0, "\(left) sources left")
  }

  private static func step(
    _ bed: NVMeBed, _ ports: [EmbeddedTarget.Port], _ generator: inout SplitMix64, _ note: (String) -> Void
  ) async throws {
    let name = names[Int.random(in: 0..<names.count, using: &generator)]
    let port = ports[Int.random(in: 0..<ports.count, using: &generator)]
    let named: JSONObject = ["name": .string(name)]
    func attempt(_ method: String, _ more: JSONObject = [:]) async {
      var members = named
      for member in more.members { members[member.key] = member.value }
      if let error = await bed.failure(method, .object(members)) {
        #expect(expectedErrors.contains(error.code), "\(method) \(more): \(error)")
      }
    }
    let choice = Int.random(in: 0..<14, using: &generator)
    note("\(choice) \(name)")
    switch choice {
    case 0...3:
      var more: JSONObject = ["subnqn": .string(nqn(name))]
      if Int.random(in: 0..<2, using: &generator) == 0 {
        more["ctrlr_loss_timeout_sec"] = 30
        more["reconnect_delay_sec"] = 1
      }
      if let error = await bed.failure("bdev_nvme_attach_controller", bed.attachment(name, port: port, more)) {
        #expect(expectedErrors.contains(error.code), "attach: \(error)")
      }
    case 4: await attempt("bdev_nvme_detach_controller")
    case 5: await attempt("bdev_nvme_detach_controller", ["trsvcid": .string(String(port.port))])
    case 6: await attempt("bdev_nvme_reset_controller")
    case 7: await attempt("bdev_nvme_disable_controller")
    case 8: await attempt("bdev_nvme_enable_controller")
    case 9:
      try await bed.target.closeConnections(
        subsystemNQN: nqn(name), reset: Int.random(in: 0..<2, using: &generator) == 0)
    case 10:
      let isEnabled = Int.random(in: 0..<2, using: &generator) == 0
      // It may be so already.
      try? await bed.target.setNamespace(4, of: nqn(name), isEnabled: isEnabled)
    case 11:
      let policy: JSONValue = Int.random(in: 0..<2, using: &generator) == 0 ? "active_active" : "active_passive"
      let device: JSONValue = .string("\(name)n1")
      if let error = await bed.failure("bdev_nvme_set_multipath_policy", ["name": device, "policy": policy]) {
        #expect(error == .system(ENODEV))
      }
    case 12:
      // Whether it succeeds is the storm's affair; that it ends is not.
      _ = try? await bed.device("\(name)n1")?.read(at: 0, blockCount: 8)
      await attempt("bdev_nvme_get_controller_health_info")
    default:
      if Int.random(in: 0..<2, using: &generator) == 0 {
        let request: JSONValue = [
          "name": "disc", "trtype": "tcp", "traddr": "127.0.0.1", "trsvcid": .string(String(port.port)),
          "hostnqn": "nqn.x:discovery-host", "wait_for_attach": .bool(Int.random(in: 0..<2, using: &generator) == 0),
          "attach_timeout_ms": .integer(Int.random(in: 0..<2, using: &generator) * 200),
        ]
        if let error = await bed.failure("bdev_nvme_start_discovery", request) {
          #expect(expectedErrors.contains(error.code), "start_discovery: \(error)")
        }
      } else if let error = await bed.failure("bdev_nvme_stop_discovery", ["name": "disc"]) {
        #expect(expectedErrors.contains(error.code), "stop_discovery: \(error)")
      }
    }
  }

  /// TCP connections of this process's network to ports of the target, from this end.
  private static func connections(to ports: [UInt16]) -> Int {
    guard let file = fopen("/proc/self/net/tcp", "r") else { return -1 }
    defer { fclose(file) }
    var count = 0
    var line = [CChar](repeating: 0, count: 512)
    while fgets(&line, 512, file) != nil {
      let text = line.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
      let fields = text.split(separator: " ")
      guard fields.count > 3, fields[3] == "01", let remote = fields[2].split(separator: ":").last,
        let port = UInt16(remote, radix: 16)
      else { continue }
      if ports.contains(port) { count += 1 }
    }
    return count
  }
}

/// Tells what everyone does when a storm takes too long, and by which seed it came.
private final class StormProgress: Sendable {
  private let seed: UInt64
  private let steps = Mutex<[Int: String]>([:])
  private let watch = Mutex<Task<Void, Never>?>(nil)

  init(seed: UInt64) {
    self.seed = seed
    watch.withLock {
      $0 = Task {
        guard (try? await Task.sleep(for: .seconds(60))) != nil else { return }
        let text = "storm \(seed) hangs: \(steps.withLock { $0 })\n"
        _ = text.utf8CString.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress!, $0.count - 1) }
      }
    }
  }

  func note(_ step: String, of worker: Int) { steps.withLock { $0[worker] = step } }
  func end() { watch.withLock { $0?.cancel() } }
}
