import Glibc
import JSONRPC
import Synchronization
import TestSupport
import Testing

@testable import Daemon

@Suite(.timeLimit(.minutes(2))) struct ConfigurationKeeperTests {
  private let attach = "bdev_nvme_attach_controller"

  private func attachment(_ name: String, _ address: String = "192.0.2.1") -> ConfigurationEntry {
    ConfigurationEntry(attach, ["name": .string(name), "traddr": .string(address)])
  }

  private let export = ConfigurationEntry("nbd_export_start", ["bdev_name": "An1", "name": "x"])
  private let limit = ConfigurationEntry("bdev_set_qos_limit", ["name": "An1", "rw_ios_per_sec": 7000])

  @Test func theEndOfTheDaemonLeavesTheFileWhatItIs() async throws {
    let bed = try await KeeperBed([attachment("A"), export])
    bed.entries = [attachment("A"), export]
    await bed.keeper.apply(.runTime)
    await bed.client("bdev_reset_iostat")
    await bed.keeper.stop()
    // It takes itself apart, and is called meanwhile.
    bed.entries = []
    await bed.client("bdev_reset_iostat")
    #expect(try bed.kept() == ["\(attach) A", "nbd_export_start An1"])
    // What is taken back by then is not to come back all the same.
    await bed.client("nbd_export_stop", ["name": "x"], .system(ENOENT))
    #expect(try bed.kept() == ["\(attach) A"])
    await bed.end()
  }

  @Test func whatIsAboutDevicesOfADetachedControllerGoesAtTheEndAsWell() async throws {
    let bed = try await KeeperBed([attachment("A"), attachment("B"), limit, export])
    bed.entries = [attachment("A"), attachment("B"), limit, export]
    await bed.keeper.apply(.runTime)
    await bed.keeper.stop()
    await bed.client("bdev_nvme_detach_controller", ["name": "A"])
    #expect(try bed.kept() == ["\(attach) B"])
    await bed.end()
  }

  @Test func whatIsTakenBackBeforeItsTurnIsNotCalled() async throws {
    let gate = RPCBed.Gate()
    let bed = try await KeeperBed([attachment("A"), attachment("B"), export]) { call throws(RPCError) in
      if call.hasSuffix("controller A") { await gate.pass() }
    }
    let keeper = bed.keeper
    let applied = Task { await keeper.apply(.runTime) }
    try await eventually { gate.waitingCount == 1 && bed.calls.count == 2 }
    // A volume of the same name must not be exported for it.
    await bed.client("bdev_nvme_detach_controller", ["name": "A"])
    gate.open()
    await applied.value
    #expect(!bed.calls.contains("nbd_export_start An1"))
    #expect(try bed.kept().isEmpty)
    await bed.end()
  }

  @Test func whatIsAboutADeviceWaitsForWhatBringsItAlone() async throws {
    let gate = RPCBed.Gate()
    let other = ConfigurationEntry("nbd_export_start", ["bdev_name": "Bn1", "name": "y"])
    let bed = try await KeeperBed([
      ConfigurationEntry("attach_early"), attachment("A"), attachment("B"), limit,
      ConfigurationEntry("bdev_wait_for_examine"),
      export, other,
    ]) { call throws(RPCError) in
      if call.hasSuffix("controller B") { await gate.pass() }
    }
    let keeper = bed.keeper
    let applied = Task { await keeper.apply(.runTime) }
    try await eventually { bed.calls.contains("nbd_export_start An1") }
    let calls = bed.calls
    #expect(calls.first == "attach_early ")
    #expect(
      calls.filter { $0.hasSuffix("An1") || $0.hasSuffix("controller A") }
        == ["\(attach) A", "bdev_set_qos_limit An1", "nbd_export_start An1"])
    #expect(!calls.contains("nbd_export_start Bn1"))
    gate.open()
    await applied.value
    #expect(bed.calls.last == "nbd_export_start Bn1")
    await bed.end()
  }

  @Test func whatComesAboutAfterItWasTakenBackIsTakenBack() async throws {
    let gate = RPCBed.Gate()
    let bed = try await KeeperBed([attachment("A")]) { call throws(RPCError) in
      if call.hasPrefix("bdev_nvme_attach") { await gate.pass() }
    }
    let keeper = bed.keeper
    let applied = Task { await keeper.apply(.runTime) }
    try await eventually { gate.waitingCount == 1 }
    await bed.client("bdev_nvme_detach_controller", ["name": "A"], .noSuchDevice)
    gate.open()
    await applied.value
    #expect(bed.calls == ["\(attach) A", "bdev_nvme_detach_controller A"])
    await bed.end()
  }

  @Test func aDiscoveryServiceIsNotWaitedFor() async throws {
    let bed = try await KeeperBed([
      ConfigurationEntry(
        "bdev_nvme_start_discovery", ["name": "disc", "wait_for_attach": true, "attach_timeout_ms": 5])
    ])
    await bed.keeper.apply(.runTime)
    #expect(bed.calls == ["bdev_nvme_start_discovery disc"])
    await bed.end()
  }

  @Test func whatIsAboutADeviceThatGoesIsKept() async throws {
    let isGone = Mutex(false)
    let bed = try await KeeperBed([attachment("A"), limit, export]) { call throws(RPCError) in
      if isGone.withLock({ $0 }) { throw .noSuchDevice }
    }
    bed.entries = [attachment("A"), limit, export]
    await bed.keeper.apply(.runTime)
    #expect(bed.calls.count == 3)
    // A namespace that has gone, its controller being there still.
    isGone.withLock { $0 = true }
    bed.entries = [attachment("A")]
    await bed.keeper.noteLoss(ofDevice: "An1", uuid: "one")
    await bed.client("bdev_reset_iostat")
    #expect(try bed.kept() == ["\(attach) A", "bdev_set_qos_limit An1", "nbd_export_start An1"])
    try await eventually { bed.calls.count >= 5 }
    #expect(bed.calls[3..<5] == ["bdev_set_qos_limit An1", "nbd_export_start An1"])
    await bed.end()
  }

  @Test func aDeviceThatAClientTakesBackIsForgotten() async throws {
    let bed = try await KeeperBed([attachment("A"), limit, export])
    bed.entries = [attachment("A"), limit, export]
    await bed.keeper.apply(.runTime)
    bed.entries = []
    await bed.keeper.noteLoss(ofDevice: "An1", uuid: "one")
    await bed.client("bdev_nvme_detach_controller", ["name": "A"])
    #expect(try bed.kept().isEmpty)
    await bed.end()
  }

  @Test func whatAClientSetsAnewIsNotSetBack() async throws {
    let isGone = Mutex(false)
    let bed = try await KeeperBed([attachment("A"), limit]) { call throws(RPCError) in
      if isGone.withLock({ $0 }) { throw .noSuchDevice }
    }
    bed.entries = [attachment("A"), limit]
    await bed.keeper.apply(.runTime)
    isGone.withLock { $0 = true }
    bed.entries = [attachment("A")]
    await bed.keeper.noteLoss(ofDevice: "An1", uuid: "one")
    // It is back, and set otherwise, before the next attempt.
    var later = limit
    later.parameters?["rw_ios_per_sec"] = 100
    bed.entries = [attachment("A"), later]
    await bed.client("bdev_set_qos_limit", later.parameters)
    #expect(try bed.kept() == ["\(attach) A", "bdev_set_qos_limit An1"])
    await bed.end()
  }

  /// Limits are set one by one, of a device by its name or by its UUID.
  @Test(arguments: ["An1", "one"]) func whatAClientDoesNotSetStays(_ name: String) async throws {
    let isGone = Mutex(false)
    var all = limit
    all.parameters?["r_mbytes_per_sec"] = 30
    let bed = try await KeeperBed([attachment("A"), all]) { call throws(RPCError) in
      if isGone.withLock({ $0 }) { throw .noSuchDevice }
    }
    bed.entries = [attachment("A"), all]
    bed.devices = ["An1": "one"]
    await bed.keeper.apply(.runTime)
    isGone.withLock { $0 = true }
    bed.entries = [attachment("A")]
    await bed.keeper.noteLoss(ofDevice: "An1", uuid: "one")
    let set = ConfigurationEntry("bdev_set_qos_limit", ["name": "An1", "rw_ios_per_sec": 100])
    bed.entries = [attachment("A"), set]
    await bed.client("bdev_set_qos_limit", ["name": .string(name), "rw_ios_per_sec": 100])
    let pending = await bed.keeper.pendingEntries
    #expect(pending.map(\.parameters) == [["name": "An1", "r_mbytes_per_sec": 30]])
    await bed.end()
  }

  /// A namespace that has come in the place of another one, which had the name before: what was for that one's clients must
  /// not give them this one.
  @Test func whatIsAboutAnotherDeviceOfTheNameIsNotCalled() async throws {
    let bed = try await KeeperBed([attachment("A"), limit, export])
    bed.devices = ["An1": "one"]
    bed.entries = [attachment("A"), limit, export]
    await bed.keeper.apply(.runTime)
    #expect(bed.calls.count == 3)
    bed.entries = [attachment("A")]
    bed.devices = ["An1": "two"]
    await bed.keeper.noteLoss(ofDevice: "An1", uuid: "one")
    try await eventually { bed.log.count("error the configuration is about another device") == 2 }
    #expect(bed.calls.count == 3)
    await bed.client("bdev_reset_iostat")
    #expect(try bed.kept() == ["\(attach) A", "bdev_set_qos_limit An1", "nbd_export_start An1"])
    // It knows that after a restart as well, and the right one has it.
    let kept = try bed.document().entries
    #expect(kept.map(\.deviceUUID) == [nil, "one", "one"])
    let next = try await KeeperBed(kept)
    next.devices = ["An1": "two"]
    await next.keeper.apply(.runTime)
    #expect(next.calls == ["\(attach) A"])
    next.entries = [attachment("A")]
    next.devices = ["An1": "one"]
    try await next.keeper.applyMissing()
    #expect(next.calls.dropFirst(1) == ["bdev_set_qos_limit An1", "nbd_export_start An1"])
    await next.end()
    await bed.end()
  }

  /// An export may be called as a controller is.
  @Test func anExportThatIsStoppedIsNoController() async throws {
    let isGone = Mutex(false)
    let bed = try await KeeperBed([attachment("A"), limit]) { call throws(RPCError) in
      if isGone.withLock({ $0 }) { throw .noSuchDevice }
    }
    bed.entries = [attachment("A"), limit]
    await bed.keeper.apply(.runTime)
    isGone.withLock { $0 = true }
    bed.entries = [attachment("A")]
    await bed.keeper.noteLoss(ofDevice: "An1", uuid: "one")
    await bed.client("nbd_export_stop", ["name": "A"])
    #expect(try bed.kept() == ["\(attach) A", "bdev_set_qos_limit An1"])
    await bed.keeper.stop()
    await bed.client("nbd_export_stop", ["name": "A"])
    #expect(try bed.kept() == ["\(attach) A", "bdev_set_qos_limit An1"])
    await bed.end()
  }

  @Test func whatCouldNotBeWrittenIsKeptAllTheSame() async throws {
    let bed = try await KeeperBed([]) { call throws(RPCError) in throw .noSuchDevice }
    await bed.keeper.apply(.runTime)
    try bed.blockFile()
    bed.entries = [attachment("A"), limit, export]
    await bed.client("nbd_export_start", export.parameters)
    #expect(try bed.kept().isEmpty)
    bed.unblockFile()
    bed.entries = []
    await bed.keeper.noteLoss(ofDevice: "An1", uuid: "one")
    await bed.keeper.noteLoss(attachment("A"))
    // One that had not even been wished to be written.
    await bed.keeper.noteLoss(attachment("B"))
    #expect(
      try bed.kept().sorted() == ["\(attach) A", "\(attach) B", "bdev_set_qos_limit An1", "nbd_export_start An1"])
    await bed.end()
  }

  /// The first export is the default one.
  @Test func orderIsKept() async throws {
    let isAway = Mutex(true)
    let other = ConfigurationEntry("nbd_export_start", ["bdev_name": "Bn1", "name": "y"])
    let bed = try await KeeperBed([attachment("A"), attachment("B"), export, other]) { call throws(RPCError) in
      if call.hasSuffix("An1"), isAway.withLock({ $0 }) { throw .noSuchDevice }
    }
    bed.entries = [attachment("A"), attachment("B"), other]
    await bed.keeper.apply(.runTime)
    let all = ["\(attach) A", "\(attach) B", "nbd_export_start An1", "nbd_export_start Bn1"]
    #expect(try bed.kept() == all)
    #expect(ExportRequest.firstName(in: try bed.document().entries) == "x")
    isAway.withLock { $0 = false }
    bed.entries = [attachment("A"), attachment("B"), other, export]
    await bed.client("bdev_reset_iostat")
    #expect(try bed.kept() == all)
    await bed.end()
  }

  @Test func aHangUpDuringAnAttemptEndsNoAttempts() async throws {
    let gate = RPCBed.Gate()
    let attempts = Mutex(0)
    let bed = try await KeeperBed([attachment("A")]) { call throws(RPCError) in
      let attempt = attempts.withLock { count in
        count += 1
        return count
      }
      if attempt == 2 { await gate.pass() }
      throw .system(EIO)
    }
    await bed.keeper.apply(.runTime)
    try await eventually { gate.waitingCount == 1 }
    try await bed.keeper.applyMissing()
    gate.open()
    try await eventually { bed.calls.count >= 3 }
    await bed.end()
  }

  @Test func aPathThatIsTriedCanBeTakenBackBesideAnother() async throws {
    let bed = try await KeeperBed([attachment("A"), attachment("A", "192.0.2.2")]) { call throws(RPCError) in
      throw .system(EIO)
    }
    await bed.keeper.apply(.runTime)
    bed.entries = [attachment("A")]
    await bed.client("bdev_nvme_detach_controller", ["name": "A", "traddr": "192.0.2.2"], .system(ENXIO))
    #expect(try bed.kept() == ["\(attach) A"])
    await bed.end()
  }

  @Test func whatIsThereInOtherWordsIsNotCalledAgain() async throws {
    let bed = try await KeeperBed([export], isKept: false)
    await bed.keeper.apply(.runTime)
    #expect(bed.calls == ["nbd_export_start An1"])
    bed.entries = [ConfigurationEntry("nbd_export_start", ["name": "x", "bdev_name": "An1", "writable": true])]
    try await bed.keeper.applyMissing()
    #expect(bed.calls.count == 1)
    bed.entries = []
    try await bed.keeper.applyMissing()
    #expect(bed.calls.count == 2)
    await bed.end()
  }

  @Test func aHangUpBeforeTheStartLeavesDevicesToTheStart() async throws {
    let bed = try await KeeperBed([ConfigurationEntry("attach_early"), attachment("A")])
    bed.phase = .startup
    try await bed.keeper.applyMissing()
    #expect(bed.calls == ["attach_early "])
    bed.phase = .runTime
    await bed.keeper.apply(.runTime)
    #expect(bed.calls == ["attach_early ", "\(attach) A"])
    await bed.end()
  }
}
