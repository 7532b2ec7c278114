import BlockDevice
@testable import Daemon
import EmbeddedTarget
import Glibc
import JSONRPC
import NVMeHost
import NVMeProtocol
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct DetachTests {
  /// A timer that outlives its detach would keep the registry for an hour.
  @Test(arguments: [1, 3])
  func nothingIsLeftOfDetaches(count: Int) async throws {
    weak var left: ControllerRegistry?
    do {
      let bed = try await NVMeBed(detachPatience: .seconds(3600))
      left = bed.service.controllers
      try await bed.attach()
      // One enters at once, and the other ones when it has left.
      let failures = await withTaskGroup(of: RPCError?.self) { group in
        for _ in 0..<count { group.addTask { await bed.failure("bdev_nvme_detach_controller", ["name": "Nvme0"]) } }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(failures.count { $0 == nil } == 1)
      #expect(failures.count { $0 == .system(ENODEV) } == count - 1)
      #expect(try await bed.end() == 0)
    }
    try await eventually { left == nil }
  }

  /// Whoever has detached a path takes its network away.
  @Test func anAddressThatIsDetachedWhileItIsConnectedByIsLeft() async throws {
    let bed = try await NVMeBed()
    let second = try await bed.target.addPort()
    let more: JSONObject = ["multipath": "failover", "ctrlr_loss_timeout_sec": 30, "reconnect_delay_sec": 1]
    try await bed.attach(more)
    try await bed.attach("Nvme0", port: second, more)
    let controller = try #require(bed.service.controllers.set(named: "Nvme0")?.controllers.first?.controller)
    // Long enough for the detach to come before the I/O queue's answer.
    var slow = FaultRule(.fabricsCommand(.connect), .delay(nanoseconds: 2_000_000_000), count: 2)
    slow.portIdentifier = bed.port.identifier
    let rule = try await bed.target.addFault(slow)
    let reset = Task { await bed.failure("bdev_nvme_reset_controller", ["name": "Nvme0"]) }
    try await eventually { controller.snapshot.state == .resetting }
    try await bed.call(
      "bdev_nvme_detach_controller", ["name": "Nvme0", "trsvcid": .string(String(bed.port.port))])
    _ = await reset.value
    try await eventually { controller.snapshot.state == .enabled }
    // What went over the address that was detached would fail.
    try await bed.target.removeFault(rule)
    var refusal = FaultRule(.ioCommand(), .status(.internalError.withDoNotRetry))
    refusal.portIdentifier = bed.port.identifier
    try await bed.target.addFault(refusal)
    try await bed.device("Nvme0n1")?.write(at: 0, pattern(4096, seed: 5))
    #expect(try await bed.end() == 0)
  }
}
