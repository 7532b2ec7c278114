import BlockDevice
@testable import Daemon
import EmbeddedTarget
import Glibc
import JSONRPC
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct AttachTests {
  @Test func aControllersNamespacesAreDevices() async throws {
    let bed = try await NVMeBed(namespaces: [
      1: .memory(byteCount: 1 << 20), 5: .memory(byteCount: 1 << 21, blockByteCount: 4096),
      300: .memory(byteCount: 1 << 22),
    ])
    #expect(try await bed.attach() == ["Nvme0n1", "Nvme0n5", "Nvme0n300"])
    #expect(bed.deviceNames == ["Nvme0n1", "Nvme0n5", "Nvme0n300"])
    let list = try await bed.call("bdev_get_bdevs", ["name": "Nvme0n5"])
    let device = try #require(list[0])
    #expect(device["block_size"] == 4096 && device["num_blocks"] == 512 && device["product_name"] == "NVMe disk")
    #expect(device["uuid"] == device["aliases"]?[0])
    let path = try #require(device["driver_specific"]?["nvme"]?[0])
    #expect(
      path["trid"] == [
        "trtype": "TCP", "adrfam": "IPv4", "traddr": "127.0.0.1", "trsvcid": .string(String(bed.port.port)),
        "subnqn": .string(NVMeBed.nqn),
      ])
    #expect(path["ns_data"]?["id"] == 5 && path["ns_data"]?["ana_state"] == "optimized")
    #expect(path["ctrlr_data"]?["model_number"] == "swift-nvmeof embedded target")
    #expect(device["driver_specific"]?["mp_policy"] == "active_passive")
    #expect(try await bed.call("bdev_get_bdevs", nil).arrayValue?.count == 3)
    // By its other name.
    let uuid = try #require(device["uuid"])
    #expect(try await bed.call("bdev_get_bdevs", ["name": uuid]) == [device])
    #expect(
      try await bed.call("bdev_nvme_get_controllers", nil) == [
        [
          "name": "Nvme0",
          "ctrlrs": [
            [
              "state": "enabled", "trid": path["trid"] ?? nil, "cntlid": path["ctrlr_data"]?["cntlid"] ?? nil,
              "host": ["nqn": .string(NVMeBed.hostNQN), "addr": "", "svcid": "", "no_shn_notification": false],
            ]
          ],
        ]
      ])
    #expect(try await bed.call("bdev_nvme_detach_controller", ["name": "Nvme0"]) == true)
    #expect(bed.deviceNames.isEmpty)
    #expect(try await bed.call("bdev_nvme_get_controllers", nil) == [])
    #expect(try await bed.end() == 0)
  }

  @Test func aSecondPathIsAddedAndEitherIsDetached() async throws {
    let bed = try await NVMeBed()
    let second = try await bed.target.addPort()
    try await bed.attach()
    let device = try #require(bed.device("Nvme0n1"))
    #expect(try await bed.attach("Nvme0", port: second) == ["Nvme0n1"])
    #expect(try await bed.states() == ["enabled", "enabled"])
    #expect(bed.deviceNames == ["Nvme0n1"] && bed.device("Nvme0n1") === device)
    let written = pattern(4096, seed: 1)
    try await device.write(at: 0, written)
    let filter: JSONValue = ["name": "Nvme0", "traddr": "127.0.0.1", "trsvcid": .string(String(bed.port.port))]
    #expect(try await bed.call("bdev_nvme_detach_controller", filter) == true)
    #expect(try await bed.states() == ["enabled"])
    #expect(try await device.read(at: 0, blockCount: 8) == written)
    #expect(await bed.failure("bdev_nvme_detach_controller", filter) == .system(ENXIO))
    try await bed.call("bdev_nvme_detach_controller", ["name": "Nvme0"])
    #expect(await bed.failure("bdev_nvme_detach_controller", ["name": "Nvme0"]) == .system(ENODEV))
    // Whoever still holds the device is told that it is gone.
    await #expect(throws: BlockError.self) { try await device.read(at: 0, blockCount: 8) }
    #expect(try await bed.end() == 0)
  }

  /// A target that was copied with its configuration has the same names and other blocks.
  @Test(arguments: ["multipath", "failover"])
  func aCopyOfTheSubsystemIsNoSecondPath(mode: String) async throws {
    let bed = try await NVMeBed()
    let copy = try await EmbeddedTarget.start()
    var subsystem = SubsystemConfiguration(nqn: NVMeBed.nqn)
    subsystem.namespaces = [1: .memory(byteCount: 1 << 22)]
    try await copy.addSubsystem(subsystem)
    let port = try await copy.addPort()
    try await bed.attach(["multipath": .string(mode)])
    let error = await #expect(throws: RPCError.self) {
      try await bed.attach("Nvme0", port: port, ["multipath": .string(mode)])
    }
    #expect(error?.code == -22 && error?.detail?.contains("cntlid 1 is duplicated") == true)
    #expect(bed.service.controllers.set(named: "Nvme0")?.controllers.count == 1)
    #expect(bed.deviceNames == ["Nvme0n1"])
    await copy.stop()
    #expect(try await bed.end() == 0)
  }

  /// Two paths, the first of which has left a read unanswered; and so it does with as many commands as `count` says.
  private func makeBedWithSilentPath(count: UInt64?, probation: ClosedRange<UInt32>) async throws -> NVMeBed {
    let bed = try await NVMeBed(probation: probation)
    let second = try await bed.target.addPort()
    try await bed.call("bdev_nvme_set_options", ["timeout_us": 2_000_000, "action_on_timeout": "reset"])
    for port in [bed.port, second] {
      try await bed.attach("Nvme0", port: port, ["reconnect_delay_sec": 1, "ctrlr_loss_timeout_sec": -1])
    }
    var silence = FaultRule(.ioCommand(), .neverAnswer, count: count)
    silence.portIdentifier = bed.port.identifier
    try await bed.target.addFault(silence)
    _ = try await bed.device("Nvme0n1")?.read(at: 0, blockCount: 8)
    return bed
  }

  @Test func aProbationIsInTheMetricsAndTheLog() async throws {
    let bed = try await makeBedWithSilentPath(count: nil, probation: 1...1)
    func values() -> [Substring] {
      var page = MetricsPage()
      Metrics.addControllers(bed.service.controllers, bed.service.devices, &page)
      return page.text.split(separator: "\n").filter { $0.hasPrefix("nvmeofd_bdev_path_on_probation{") }
    }
    let path = "127.0.0.1:\(bed.port.port)"
    try await eventually {
      bed.log.count("warning path on probation: it left I/O commands unanswered device=Nvme0n1 path=\(path)") == 1
    }
    #expect(values().map(\.last) == ["1", "0"])
    #expect(values().first == #"nvmeofd_bdev_path_on_probation{bdev="Nvme0n1",path="\#(path)"} 1"#)
    #expect(bed.log.count("notice path off probation") == 0)
    try await bed.target.removeAllFaults()
    try await eventually {
      bed.log.count("notice path off probation: it does I/O again device=Nvme0n1 path=\(path)") == 1
    }
    #expect(values().map(\.last) == ["0", "0"])
    #expect(bed.log.count("warning path on probation") == 1)
    #expect(try await bed.end() == 0)
  }

  @Test func aPathOnProbationIsListedAsSuch() async throws {
    let bed = try await makeBedWithSilentPath(count: 1, probation: 600_000...600_000)
    func paths() async throws -> [JSONValue] {
      try await bed.call("bdev_nvme_get_io_paths", nil)["poll_groups"]?[0]?["io_paths"]?.arrayValue ?? []
    }
    // What is listed comes from other reactors: the read may be answered before they have said why it took so long.
    try await eventually { try await paths().map { $0["on_probation"] } == [true, false] }
    try await eventually { try await paths().allSatisfy { $0["connected"] == true } }
    let listed = try await paths()
    #expect(listed.map { $0["on_probation"] } == [true, false] && listed.map { $0["current"] } == [false, true])
    #expect(listed.allSatisfy { $0["accessible"] == true })
    #expect(try await bed.end() == 0)
  }

  @Test func pathsAreListedWhereChannelsAre() async throws {
    let bed = try await NVMeBed(reactorCount: 2)
    let second = try await bed.target.addPort()
    try await bed.attach()
    try await bed.attach("Nvme0", port: second)
    let none: JSONValue = ["poll_groups": [["thread": "io_0", "io_paths": []], ["thread": "io_1", "io_paths": []]]]
    #expect(try await bed.call("bdev_nvme_get_io_paths", nil) == none)
    _ = try await bed.device("Nvme0n1")?.read(at: 0, blockCount: 8)
    let answer = try await bed.call("bdev_nvme_get_io_paths", ["name": "Nvme0n1"])
    let paths = try #require(answer["poll_groups"]?[0]?["io_paths"]?.arrayValue)
    #expect(paths.count == 2 && answer["poll_groups"]?[1]?["io_paths"] == [])
    #expect(paths.allSatisfy { $0["connected"] == true && $0["accessible"] == true && $0["bdev_name"] == "Nvme0n1" })
    #expect(paths.count { $0["current"] == true } == 1)
    #expect(
      paths[0]["transport"] == [
        "trtype": "TCP", "traddr": "127.0.0.1", "trsvcid": .string(String(bed.port.port)), "adrfam": "IPv4",
      ])
    #expect(try await bed.call("bdev_nvme_get_io_paths", ["name": "other"]) == none)
    // The other one is preferred.
    let other = try #require(paths.first { $0["current"] == false }?["cntlid"])
    try await bed.call("bdev_nvme_set_preferred_path", ["name": "Nvme0n1", "cntlid": other])
    let after = try await bed.call("bdev_nvme_get_io_paths", nil)["poll_groups"]?[0]?["io_paths"]?.arrayValue ?? []
    #expect(after.first { $0["current"] == true }?["cntlid"] == other)
    #expect(
      await bed.failure("bdev_nvme_set_preferred_path", ["name": "Nvme0n1", "cntlid": 999]) == .system(ENODEV))
    // Both, one after the other.
    try await bed.call(
      "bdev_nvme_set_multipath_policy",
      ["name": "Nvme0n1", "policy": "active_active", "selector": "round_robin", "rr_min_io": 4])
    let both = try await bed.call("bdev_nvme_get_io_paths", nil)["poll_groups"]?[0]?["io_paths"]?.arrayValue ?? []
    #expect(both.allSatisfy { $0["current"] == true })
    let specific = try await bed.call("bdev_get_bdevs", nil)[0]?["driver_specific"]
    #expect(
      specific?["mp_policy"] == "active_active" && specific?["selector"] == "round_robin" && specific?["rr_min_io"] == 4
    )
    #expect(try await bed.end() == 0)
  }

  @Test func severalAddressesOfOneController() async throws {
    let bed = try await NVMeBed()
    let second = try await bed.target.addPort()
    let more: JSONObject = [
      "multipath": "failover", "ctrlr_loss_timeout_sec": 30, "reconnect_delay_sec": 1,
    ]
    try await bed.attach(more)
    #expect(try await bed.attach("Nvme0", port: second, more) == ["Nvme0n1"])
    func addresses() async throws -> [JSONValue] {
      let controller = try await bed.call("bdev_nvme_get_controllers", nil)[0]?["ctrlrs"]?[0]
      let alternates = controller?["alternate_trids"]?.arrayValue ?? []
      return [controller?["trid"]].compactMap { $0?["trsvcid"] } + alternates.compactMap { $0["trsvcid"] }
    }
    let (first, other): (JSONValue, JSONValue) = (
      .string(String(bed.port.port)), .string(String(second.port))
    )
    #expect(try await addresses() == [first, other])
    // The address in use does not work any more.
    try await bed.target.removePort(bed.port.identifier)
    try await eventually {
      let (order, states) = (try await addresses(), try await bed.states())
      return order == [other, first] && states == ["enabled"]
    }
    try await bed.device("Nvme0n1")?.write(at: 0, pattern(4096, seed: 3))
    // Another mode is none for a name that has one.
    let third = try await bed.target.addPort()
    #expect(
      await bed.failure("bdev_nvme_attach_controller", bed.attachment("Nvme0", port: third)) == .system(EINVAL))
    try await bed.call("bdev_nvme_detach_controller", ["name": "Nvme0", "trsvcid": first])
    #expect(try await addresses() == [other])
    try await bed.call("bdev_nvme_detach_controller", ["name": "Nvme0", "trsvcid": other])
    #expect(try await bed.call("bdev_nvme_get_controllers", nil) == [])
    #expect(try await bed.end() == 0)
  }

  /// The first address accepts connections and drops them, the second refuses one.
  @Test func anAddressThatDoesNoIODoesNotKeepTheOtherFromBeingTried() async throws {
    let bed = try await NVMeBed()
    let second = try await bed.target.addPort()
    let more: JSONObject = [
      "multipath": "failover", "ctrlr_loss_timeout_sec": -1, "reconnect_delay_sec": 1,
    ]
    try await bed.attach(more)
    try await bed.attach("Nvme0", port: second, more)
    var dropping = FaultRule(.ioCommand(), .reset)
    dropping.portIdentifier = bed.port.identifier
    _ = try await bed.target.addFault(dropping)
    var refusing = FaultRule(.connection, .close, count: 1)
    refusing.portIdentifier = second.identifier
    let refusal = try await bed.target.addFault(refusing)
    let device = try #require(bed.device("Nvme0n1"))
    let isRead = Mutex(false)
    let read = Task {
      _ = try await device.read(at: 0, blockCount: 8)
      isRead.withLock { $0 = true }
    }
    try await eventually { isRead.withLock { $0 } }
    try await read.value
    #expect(try await bed.target.faultCount(refusal) == 1)
    #expect(try await bed.end() == 0)
  }

  @Test func namespacesComeGoGrowAndBecomeOthers() async throws {
    let bed = try await NVMeBed()
    try await bed.attach()
    let first = try #require(bed.service.devices.device(named: "Nvme0n1"))
    try await bed.target.addNamespace(7, .memory(byteCount: 1 << 20), to: NVMeBed.nqn)
    try await eventually { bed.deviceNames == ["Nvme0n1", "Nvme0n7"] }
    try await bed.target.resizeNamespace(7, of: NVMeBed.nqn, byteCount: 1 << 21)
    try await eventually { bed.device("Nvme0n7")?.geometry.byteCount == 1 << 21 }
    try await bed.target.removeNamespace(1, from: NVMeBed.nqn)
    try await eventually { bed.deviceNames == ["Nvme0n7"] }
    // Another one in its place is another device.
    var other = NamespaceConfiguration.memory(byteCount: 1 << 20)
    other.nguid = Array(repeating: 0x42, count: 16)
    try await bed.target.addNamespace(1, other, to: NVMeBed.nqn)
    try await eventually { Set(bed.deviceNames) == ["Nvme0n1", "Nvme0n7"] }
    let second = try #require(bed.service.devices.device(named: "Nvme0n1"))
    #expect(second !== first && second.uuid != first.uuid)
    #expect(second.uuid.uuidString == "42424242-4242-4242-4242-424242424242")
    #expect(try await bed.end() == 0)
  }

  @Test func aNamespaceThatBecomesAnotherWhileTheControllerIsAwayIsAnotherDevice() async throws {
    let bed = try await NVMeBed()
    try await bed.attach(["ctrlr_loss_timeout_sec": 60, "reconnect_delay_sec": 1])
    let first = try #require(bed.service.devices.device(named: "Nvme0n1"))
    try await bed.call("bdev_nvme_disable_controller", ["name": "Nvme0"])
    #expect(bed.service.devices.device(named: "Nvme0n1") === first)
    try await bed.target.removeNamespace(1, from: NVMeBed.nqn)
    var other = NamespaceConfiguration.memory(byteCount: 1 << 20)
    other.nguid = Array(repeating: 0x42, count: 16)
    try await bed.target.addNamespace(1, other, to: NVMeBed.nqn)
    try await bed.call("bdev_nvme_enable_controller", ["name": "Nvme0"])
    try await eventually {
      bed.service.devices.device(named: "Nvme0n1").map { $0 !== first && $0.uuid != first.uuid } ?? false
    }
    #expect(bed.deviceNames == ["Nvme0n1"])
    #expect(try await bed.end() == 0)
  }

  @Test func aNamespaceFormattedAnewIsAnotherDevice() async throws {
    let bed = try await NVMeBed()
    let second = try await bed.target.addPort()
    try await bed.attach()
    try await bed.attach("Nvme0", port: second)
    let first = try #require(bed.service.devices.device(named: "Nvme0n1"))
    _ = try await first.device.read(at: 0, blockCount: 8)
    // The same identifiers, blocks of another size.
    try await bed.call("bdev_nvme_disable_controller", ["name": "Nvme0"])
    try await bed.target.removeNamespace(1, from: NVMeBed.nqn)
    try await bed.target.addNamespace(1, .memory(byteCount: 1 << 22, blockByteCount: 4096), to: NVMeBed.nqn)
    try await bed.call("bdev_nvme_enable_controller", ["name": "Nvme0"])
    try await eventually { bed.device("Nvme0n1").map { $0.geometry.blockByteCount == 4096 } ?? false }
    // Addresses are counted in blocks: what has been opened never takes on others.
    #expect(first.device.geometry.blockByteCount == 512)
    let other = try #require(bed.service.devices.device(named: "Nvme0n1"))
    #expect(other !== first && other.uuid == first.uuid)
    // Who uses the old one does not write blocks of the wrong size.
    await #expect(throws: BlockError.self) { _ = try await first.device.read(at: 0, blockCount: 1) }
    try await eventually { other.nvme?.multipath.snapshot.paths.count { $0.isAccessible } == 2 }
    #expect(try await bed.end() == 0)
  }

  @Test func aControllerLostForTooLongGoesWithItsDevices() async throws {
    let bed = try await NVMeBed()
    try await bed.attach(["ctrlr_loss_timeout_sec": 1, "reconnect_delay_sec": 1, "fast_io_fail_timeout_sec": 1])
    try await bed.target.removePort(bed.port.identifier)
    // Answers all the while.
    try await eventually {
      _ = try await bed.call("bdev_get_bdevs", nil)
      return try await bed.call("bdev_nvme_get_controllers", nil) == []
    }
    #expect(bed.deviceNames.isEmpty)
    #expect(try await bed.end() == 0)
  }

  @Test func withoutTimersALossIsMendedAtOnceOrNotAtAll() async throws {
    let bed = try await NVMeBed()
    try await bed.attach()
    try await bed.target.closeConnections(reset: true)
    try await eventually {
      bed.service.controllers.set(named: "Nvme0")?.controllers[0].controller.snapshot.recovery.reconnectCount == 1
    }
    #expect(try await bed.states() == ["enabled"])
    try await bed.target.removePort(bed.port.identifier)
    try await eventually { try await bed.states() == ["failed"] }
    #expect(bed.deviceNames == ["Nvme0n1"])
    #expect(await bed.failure("bdev_nvme_reset_controller", ["name": "Nvme0"]) == .system(EPERM))
    try await bed.target.addPort(PortConfiguration(port: bed.port.port, identifier: bed.port.identifier))
    try await bed.call("bdev_nvme_reset_controller", ["name": "Nvme0"])
    #expect(try await bed.states() == ["enabled"])
    #expect(try await bed.end() == 0)
  }

  @Test func aDetachWaitsForAnAttachNotForEver() async throws {
    let bed = try await NVMeBed(detachPatience: .milliseconds(500))
    try await bed.target.addFault(FaultRule(.adminCommand(opcode: 0x06), .neverAnswer, count: 1))
    let attach = Task { await bed.failure("bdev_nvme_attach_controller", bed.attachment()) }
    // Refused while something is being attached.
    try await eventually { await bed.failure("bdev_nvme_set_options", [:]) != nil }
    #expect(await bed.failure("bdev_nvme_detach_controller", ["name": "Nvme0"]) == .system(ETIMEDOUT))
    await bed.service.controllers.stop()
    _ = await attach.value
    #expect(try await bed.end() == 0)
  }
}
