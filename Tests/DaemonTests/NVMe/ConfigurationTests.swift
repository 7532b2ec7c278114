import BlockDevice
@testable import Daemon
import EmbeddedTarget
import JSONRPC
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct NVMeConfigurationTests {
  @Test func aConfigurationLeadsToTheSameConfiguration() async throws {
    let bed = try await NVMeBed(namespaces: [1: .memory(byteCount: 1 << 20), 9: .memory(byteCount: 1 << 20)])
    let second = try await bed.target.addPort()
    try await bed.target.addSubsystem(SubsystemConfiguration(nqn: "nqn.x:2", namespace: .memory(byteCount: 1 << 20)))
    try await bed.call("bdev_nvme_set_options", ["keep_alive_timeout_ms": 2000, "bdev_retry_count": -1])
    try await bed.attach([
      "hdgst": true, "ddgst": true, "ctrlr_loss_timeout_sec": 20, "reconnect_delay_sec": 2, "num_io_queues": 3,
      "hostaddr": "127.0.0.1", "priority": "3", "fabrics_connect_timeout_us": 2_000_000,
      "multipath_opts": ["policy": "active_active", "selector": "round_robin", "min_io": 7],
    ])
    try await bed.attach("Nvme0", port: second)
    try await bed.attach("other", ["subnqn": "nqn.x:2", "multipath": "disable"])
    try await bed.attach("other", port: second, ["subnqn": "nqn.x:2", "multipath": "failover"])
    try await bed.call(
      "bdev_nvme_set_multipath_policy", ["name": "Nvme0n9", "policy": "active_active", "selector": "queue_depth"])
    try await bed.call("bdev_nvme_set_hotplug", ["enable": true, "period_us": 5])
    let saved = NVMeConfiguration.entries(of: bed.service.controllers)
    #expect(saved.count == 7)
    // A path has the policy of its name's devices, as it may be attached first.
    let policies = saved.filter { $0.brings("Nvme0", by: "bdev_nvme_attach_controller") }.map {
      $0.parameters?["multipath_opts"]
    }
    #expect(policies.count == 2 && policies[0] == policies[1])
    func devices(_ bed: RPCMethodTable) async throws -> JSONValue {
      // Controllers have other CNTLIDs each time.
      guard case .text(let bytes) = try await bed.call("bdev_get_bdevs", nil, in: .runTime) else { return .null }
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(text.contains("cntlid"))
      return .string(text.replacing(/"cntlid":\d+/, with: ""))
    }
    let before = try await devices(bed.table)
    await bed.service.controllers.stop()
    // A daemon that begins anew.
    let service = NVMeBed.makeService(control: bed.control, reactors: bed.reactors)
    let table = RPCMethodTable(NVMeMethods.all(service))
    for entry in saved {
      _ = try await table.call(entry.method, entry.parameters.map { .object($0) }, in: .runTime)
    }
    #expect(NVMeConfiguration.entries(of: service.controllers) == saved)
    #expect(try await devices(table) == before)
    await service.controllers.stop()
    #expect(try await bed.end() == 0)
  }

  @Test func anAlternateHasTheControllersSettings() async throws {
    let bed = try await NVMeBed()
    let second = try await bed.target.addPort()
    try await bed.attach(["multipath": "disable", "ctrlr_loss_timeout_sec": -1, "reconnect_delay_sec": 1])
    try await bed.attach("Nvme0", port: second, ["multipath": "failover", "ddgst": true])
    try await bed.target.removePort(bed.port.identifier)
    // Once it has failed over, the other address is the one in use.
    try await eventually {
      let member = bed.service.controllers.set(named: "Nvme0")?.controllers[0]
      return member?.addresses[0].serviceIdentifier == String(second.port) && member?.stateText == "enabled"
    }
    let saved = NVMeConfiguration.entries(of: bed.service.controllers)
      .filter { $0.method == "bdev_nvme_attach_controller" }
    #expect(saved.map { $0.parameters?["trsvcid"] } == [.string(String(second.port)), .string(String(bed.port.port))])
    #expect(saved.allSatisfy { $0.parameters?["ctrlr_loss_timeout_sec"] == -1 })
    #expect(saved.allSatisfy { $0.parameters?["reconnect_delay_sec"] == 1 })
    #expect(saved.map { $0.parameters?["ddgst"] } == [true, false])
    await bed.service.controllers.stop()
    // In that order they lead to the same again.
    try await bed.target.addPort(PortConfiguration(port: bed.port.port, identifier: bed.port.identifier))
    let service = NVMeBed.makeService(control: bed.control, reactors: bed.reactors)
    let table = RPCMethodTable(NVMeMethods.all(service))
    for entry in saved {
      _ = try await table.call(entry.method, entry.parameters.map { .object($0) }, in: .runTime)
    }
    #expect(service.controllers.set(named: "Nvme0")?.controllers.first?.addresses.count == 2)
    await service.controllers.stop()
    #expect(try await bed.end() == 0)
  }

  @Test func whatAClientAddsToADiscoveredControllerIsKept() async throws {
    let bed = try await NVMeBed()
    try await bed.call(
      "bdev_nvme_start_discovery",
      [
        "name": "disc", "trtype": "tcp", "adrfam": "ipv4", "traddr": "127.0.0.1",
        "trsvcid": .string(String(bed.port.port)), "wait_for_attach": true,
      ])
    try await bed.attach("disc0", port: bed.port, ["traddr": "localhost", "max_bdevs": 200])
    let saved = NVMeConfiguration.entries(of: bed.service.controllers)
      .filter { $0.method == "bdev_nvme_attach_controller" }
    #expect(saved.map { $0.parameters?["traddr"] } == ["localhost"])
    #expect(saved.map { $0.parameters?["max_bdevs"] } == [200])
    #expect(try await bed.end() == 0)
  }
  @Test func aPolicyOfADiscoveredDeviceIsKept() async throws {
    let bed = try await NVMeBed()
    try await bed.call(
      "bdev_nvme_start_discovery",
      [
        "name": "disc", "trtype": "tcp", "adrfam": "ipv4", "traddr": "127.0.0.1",
        "trsvcid": .string(String(bed.port.port)), "wait_for_attach": true,
      ])
    try await bed.call(
      "bdev_nvme_set_multipath_policy", ["name": "disc0n1", "policy": "active_active", "selector": "queue_depth"])
    let saved = NVMeConfiguration.entries(of: bed.service.controllers)
    // Behind what leads to the device.
    #expect(
      saved.dropFirst().prefix(2).map(\.method) == ["bdev_nvme_start_discovery", "bdev_nvme_set_multipath_policy"])
    #expect(saved[2].deviceName == "disc0n1")
    #expect(try await bed.end() == 0)
  }
}
