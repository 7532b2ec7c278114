@testable import Daemon
import Glibc
import JSONRPC
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
}
