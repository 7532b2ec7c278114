import BlockDevice
@testable import Daemon
import EmbeddedTarget
import Glibc
import JSONRPC
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct DiscoveryMethodTests {
  private func request(_ bed: NVMeBed, _ more: JSONObject = [:]) -> JSONValue {
    var members: JSONObject = [
      "name": "disc", "trtype": "tcp", "adrfam": "ipv4", "traddr": "127.0.0.1",
      "trsvcid": .string(String(bed.port.port)), "ctrlr_loss_timeout_sec": 60, "reconnect_delay_sec": 1,
    ]
    for member in more.members { members[member.key] = member.value }
    return .object(members)
  }

  @Test func whatDiscoveryNamesIsAttached() async throws {
    let bed = try await NVMeBed()
    #expect(try await bed.call("bdev_nvme_start_discovery", request(bed, ["wait_for_attach": true])) == true)
    #expect(bed.deviceNames == ["disc0n1"])
    #expect(await bed.failure("bdev_nvme_start_discovery", request(bed)) == .system(EEXIST))
    #expect(await bed.failure("bdev_nvme_start_discovery", request(bed, ["name": "other"])) == .system(EEXIST))
    let trid: JSONValue = [
      "trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1", "trsvcid": .string(String(bed.port.port)),
      "subnqn": .string(NVMeQualifiedName.discovery),
    ]
    #expect(
      try await bed.call("bdev_nvme_get_discovery_info", nil) == [["name": "disc", "trid": trid, "referrals": []]])
    // Another path, another subsystem, and one that goes.
    _ = try await bed.target.addPort()
    try await eventually { try await bed.states("disc0") == ["enabled", "enabled"] }
    try await bed.target.addSubsystem(SubsystemConfiguration(nqn: "nqn.x:2", namespace: .memory(byteCount: 1 << 20)))
    try await eventually { bed.deviceNames == ["disc0n1", "disc1n1"] }
    try await bed.target.removeSubsystem("nqn.x:2")
    try await eventually { bed.deviceNames == ["disc0n1"] }
    // Discovery is a part of the configuration, what it leads to is not.
    let methods = NVMeConfiguration.entries(of: bed.service.controllers).map(\.method)
    #expect(methods == ["bdev_nvme_set_options", "bdev_nvme_start_discovery", "bdev_nvme_set_hotplug"])
    #expect(try await bed.call("bdev_nvme_stop_discovery", ["name": "disc"]) == true)
    #expect(bed.deviceNames.isEmpty)
    #expect(try await bed.call("bdev_nvme_get_controllers", nil) == [])
    #expect(try await bed.call("bdev_nvme_get_discovery_info", nil) == [])
    #expect(await bed.failure("bdev_nvme_stop_discovery", ["name": "disc"]) == .system(ENOENT))
    #expect(try await bed.end() == 0)
  }

  @Test func whatIsGivenUpComesBackWithItsService() async throws {
    let bed = try await NVMeBed()
    try await bed.call(
      "bdev_nvme_start_discovery",
      request(bed, ["wait_for_attach": true, "ctrlr_loss_timeout_sec": 1, "reconnect_delay_sec": 1]))
    #expect(bed.deviceNames == ["disc0n1"])
    try await bed.target.removePort(bed.port.identifier)
    try await eventually { try await bed.call("bdev_nvme_get_controllers", nil) == [] }
    #expect(bed.deviceNames.isEmpty)
    try await bed.target.addPort(PortConfiguration(port: bed.port.port, identifier: bed.port.identifier))
    // Under the name that it had.
    try await eventually { bed.deviceNames == ["disc0n1"] }
    #expect(try await bed.states("disc0") == ["enabled"])
    #expect(try await bed.call("bdev_nvme_stop_discovery", ["name": "disc"]) == true)
    #expect(try await bed.end() == 0)
  }

  @Test func aServiceThatIsStoppedLeavesWhatAnotherHasAttached() async throws {
    let bed = try await NVMeBed()
    let second = try await bed.target.addPort()
    try await bed.call("bdev_nvme_start_discovery", request(bed, ["wait_for_attach": true]))
    try await eventually { try await bed.states("disc0") == ["enabled", "enabled"] }
    // At another portal of the same target: it names the same paths.
    let other: JSONObject = ["name": "other", "trsvcid": .string(String(second.port)), "wait_for_attach": true]
    try await bed.call("bdev_nvme_start_discovery", request(bed, other))
    try await bed.call("bdev_nvme_stop_discovery", ["name": "other"])
    #expect(try await bed.states("disc0") == ["enabled", "enabled"])
    // Whose paths they are goes, and they are the other's then.
    try await bed.call("bdev_nvme_start_discovery", request(bed, other))
    try await bed.call("bdev_nvme_stop_discovery", ["name": "disc"])
    try await eventually { (try? await bed.states("disc0")) == ["enabled", "enabled"] }
    try await bed.call("bdev_nvme_stop_discovery", ["name": "other"])
    #expect(bed.deviceNames.isEmpty)
    #expect(bed.log.count("error not attached") == 0)
    #expect(try await bed.end() == 0)
  }

  /// However long that takes: nothing that detaches its paths gives up for having to wait for the others of the name.
  @Test func nothingIsLeftOfAServiceThatIsStopped() async throws {
    let bed = try await NVMeBed(detachPatience: .zero)
    for _ in 0..<3 { _ = try await bed.target.addPort() }
    try await bed.call("bdev_nvme_start_discovery", request(bed, ["wait_for_attach": true]))
    try await eventually { try await bed.states("disc0").count == 4 }
    #expect(try await bed.call("bdev_nvme_stop_discovery", ["name": "disc"]) == true)
    #expect(try await bed.call("bdev_nvme_get_controllers", nil) == [])
    #expect(try await bed.end() == 0)
  }

  /// Services that do not answer the end: they are asked at the same time, so that all of it takes no longer than one does.
  @Test func theEndOfAllServicesIsOne() async throws {
    let bed = try await NVMeBed()
    var targets: [(target: EmbeddedTarget, fault: UInt64)] = []
    for name in ["one", "two"] {
      // It names nothing, so that there is nothing else to end.
      let target = try await EmbeddedTarget.start()
      let port = try await target.addPort()
      try await bed.call(
        "bdev_nvme_start_discovery",
        request(bed, ["name": .string(name), "trsvcid": .string(String(port.port)), "wait_for_attach": true]))
      targets.append((target, try await target.addFault(FaultRule(.fabricsCommand(.propertySet), .neverAnswer))))
    }
    let controllers = bed.service.controllers
    let end = Task { await controllers.stop() }
    for (target, fault) in targets { try await eventually { try await target.faultCount(fault) > 0 } }
    #expect(controllers.discoveries.count == 2)
    // None is begun any more.
    #expect(await bed.failure("bdev_nvme_start_discovery", request(bed, ["name": "late"])) == .system(ESHUTDOWN))
    for (target, _) in targets { await target.stop() }
    await end.value
    #expect(controllers.discoveries.isEmpty)
    #expect(try await bed.end() == 0)
  }

  @Test func aServiceThatIsNotThere() async throws {
    let bed = try await NVMeBed()
    #expect(
      await bed.failure("bdev_nvme_start_discovery", request(bed, ["trsvcid": "1", "attach_timeout_ms": 50]))
        == .system(ETIMEDOUT))
    #expect(try await bed.call("bdev_nvme_get_discovery_info", nil) == [])
    // Without waiting it is tried for ever, and can be stopped.
    #expect(try await bed.call("bdev_nvme_start_discovery", request(bed, ["trsvcid": "1"])) == true)
    #expect(try await bed.call("bdev_nvme_stop_discovery", ["name": "disc"]) == true)
    #expect(try await bed.end() == 0)
  }
}
