import BlockDevice
@testable import Daemon
import EmbeddedTarget
import JSONRPC
import TestSupport
import Testing

/// The list of devices is kept as text: whatever is in it shows as soon as it has changed.
@Suite(.timeLimit(.minutes(2))) struct DeviceListTests {
  /// Has the list made, changes something, and expects the list to show it from the moment that it is true.
  private func expect(
    _ bed: NVMeBed, _ what: Comment, _ change: () async throws -> Void, shows fits: (JSONValue) -> Bool
  ) async throws {
    let before = try await bed.call("bdev_get_bdevs")
    #expect(!fits(before), what)
    try await change()
    try await eventually { fits(bed.devicesNow) }
    #expect(fits(try await bed.call("bdev_get_bdevs")), what)
    // Until nothing more follows from it: the list is never behind.
    var isStill = false
    while !isStill {
      let now = bed.devicesNow
      let listed = try await bed.call("bdev_get_bdevs")
      isStill = now == bed.devicesNow
      if isStill { #expect(listed == now, what) }
    }
  }

  private static func paths(_ list: JSONValue, _ index: Int = 0) -> [JSONValue] {
    list[index]?["driver_specific"]?["nvme"]?.arrayValue ?? []
  }

  @Test func everyChangeShows() async throws {
    let bed = try await NVMeBed(namespaces: [1: .memory(byteCount: 1 << 22), 2: .memory(byteCount: 1 << 22)])
    let second = try await bed.target.addPort()
    let timers: JSONObject = ["ctrlr_loss_timeout_sec": 30, "reconnect_delay_sec": 1]
    try await expect(bed, "attach") {
      try await bed.attach(timers)
    } shows: {
      $0.arrayValue?.count == 2
    }
    try await expect(bed, "second path") {
      try await bed.attach("Nvme0", port: second, timers)
    } shows: {
      Self.paths($0).count == 2
    }
    try await expect(bed, "resize") {
      try await bed.target.resizeNamespace(1, of: NVMeBed.nqn, byteCount: 1 << 23)
    } shows: {
      $0[0]?["num_blocks"] == .integer((1 << 23) / 512)
    }
    try await expect(bed, "ANA state") {
      try await bed.target.setANAState(.inaccessible, group: 1, port: second.identifier)
    } shows: {
      Self.paths($0).contains { $0["ns_data"]?["ana_state"] == "inaccessible" }
    }
    let meter = try #require(bed.service.devices.device(named: "Nvme0n1")?.meter)
    try await expect(bed, "limits") {
      meter.rateLimits = BlockRateLimits(operationsPerSecond: 7)
    } shows: {
      $0[0]?["assigned_rate_limits"]?["rw_ios_per_sec"] == 7
    }
    try await expect(bed, "policy") {
      try await bed.call("bdev_nvme_set_multipath_policy", ["name": "Nvme0n1", "policy": "active_active"])
    } shows: {
      $0[0]?["driver_specific"]?["mp_policy"] == "active_active"
    }
    let identifiers = Self.paths(bed.devicesNow).map { $0["ctrlr_data"]?["cntlid"] }
    try await expect(bed, "reset") {
      try await bed.call("bdev_nvme_reset_controller", ["name": "Nvme0", "cntlid": identifiers[0] ?? nil])
    } shows: {
      Self.paths($0).count == 2 && Self.paths($0)[0]["ctrlr_data"]?["cntlid"] != identifiers[0]
    }
    let before = Self.paths(bed.devicesNow).map { $0["ctrlr_data"]?["cntlid"] }
    try await expect(bed, "connections lost and made anew") {
      try await bed.target.closeConnections(subsystemNQN: NVMeBed.nqn, reset: true)
    } shows: { list in
      let now = Self.paths(list).map { $0["ctrlr_data"]?["cntlid"] }
      return now.count == 2 && now[0] != before[0] && now[1] != before[1]
    }
    try await expect(bed, "namespace gone") {
      try await bed.target.setNamespace(2, of: NVMeBed.nqn, isEnabled: false)
    } shows: {
      $0.arrayValue?.count == 1
    }
    try await expect(bed, "namespace back") {
      try await bed.target.setNamespace(2, of: NVMeBed.nqn, isEnabled: true)
    } shows: {
      $0.arrayValue?.count == 2
    }
    try await expect(bed, "path detached") {
      try await bed.call(
        "bdev_nvme_detach_controller", ["name": "Nvme0", "trsvcid": .string(String(second.port))])
    } shows: {
      Self.paths($0).count == 1 && Self.paths($0, 1).count == 1
    }
    try await expect(bed, "detach") {
      try await bed.call("bdev_nvme_detach_controller", ["name": "Nvme0"])
    } shows: {
      $0 == []
    }
    #expect(try await bed.end() == 0)
  }

  @Test func anAddressThatIsMovedOnFromShows() async throws {
    let bed = try await NVMeBed()
    let second = try await bed.target.addPort()
    let more: JSONObject = ["multipath": "failover", "ctrlr_loss_timeout_sec": 30, "reconnect_delay_sec": 1]
    try await bed.attach(more)
    try await bed.attach("Nvme0", port: second, more)
    try await expect(bed, "address") {
      try await bed.target.removePort(bed.port.identifier)
    } shows: {
      Self.paths($0).first?["trid"]?["trsvcid"] == .string(String(second.port))
    }
    #expect(try await bed.end() == 0)
  }

  @Test func aPathThatIsLostForGoodLeaves() async throws {
    let bed = try await NVMeBed()
    let second = try await bed.target.addPort()
    let more: JSONObject = [
      "multipath": "multipath", "ctrlr_loss_timeout_sec": 2, "reconnect_delay_sec": 1,
    ]
    try await bed.attach(more)
    try await bed.attach("Nvme0", port: second, more)
    try await expect(bed, "path lost") {
      try await bed.target.removePort(bed.port.identifier)
    } shows: {
      Self.paths($0).count == 1
    }
    #expect(try await bed.end() == 0)
  }
}
