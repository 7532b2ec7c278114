import BlockDevice
@testable import Daemon
import EmbeddedTarget
import Glibc
import JSONRPC
import Synchronization
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct OperationTests {
  @Test func resetDisableAndEnable() async throws {
    let bed = try await NVMeBed()
    try await bed.attach()
    let device = try #require(bed.device("Nvme0n1"))
    let written = pattern(4096, seed: 2)
    try await device.write(at: 0, written)
    #expect(try await bed.call("bdev_nvme_reset_controller", ["name": "Nvme0"]) == true)
    #expect(try await device.read(at: 0, blockCount: 8) == written)
    #expect(await bed.failure("bdev_nvme_reset_controller", ["name": "Nvme0", "cntlid": 999]) == .system(ENODEV))
    #expect(try await bed.call("bdev_nvme_enable_controller", ["name": "Nvme0"]) == true)
    #expect(try await bed.call("bdev_nvme_disable_controller", ["name": "Nvme0"]) == true)
    #expect(try await bed.states() == ["disabled"])
    // Nothing to do is success.
    #expect(try await bed.call("bdev_nvme_disable_controller", ["name": "Nvme0"]) == true)
    #expect(try await bed.call("bdev_nvme_reset_controller", ["name": "Nvme0"]) == true)
    #expect(try await bed.states() == ["disabled"])
    #expect(bed.deviceNames == ["Nvme0n1"])
    await #expect(throws: BlockError.self) { try await device.read(at: 0, blockCount: 8) }
    #expect(try await bed.call("bdev_nvme_enable_controller", ["name": "Nvme0"]) == true)
    #expect(try await device.read(at: 0, blockCount: 8) == written)
    #expect(try await bed.end() == 0)
  }

  @Test func anAttachThatHangsIsNobodyElsesAffair() async throws {
    let bed = try await NVMeBed()
    try await bed.call("bdev_nvme_set_options", ["tcp_connect_timeout_ms": 60_000])
    let silent = try await bed.target.addPort()
    var rule = FaultRule(.initialization, .silence)
    rule.portIdentifier = silent.identifier
    let silence = try await bed.target.addFault(rule)
    let hanging = Task { await bed.failure("bdev_nvme_attach_controller", bed.attachment("slow", port: silent)) }
    try await eventually { try await bed.target.faultCount(silence) == 1 }
    // The same way under another name is taken while it is being tried.
    #expect(
      await bed.failure("bdev_nvme_attach_controller", bed.attachment("slow2", port: silent)) == .system(EEXIST))
    let order = Mutex<[String]>([])
    let detached = Task {
      let error = await bed.failure("bdev_nvme_detach_controller", ["name": "slow"])
      order.withLock { $0.append("detached") }
      return error
    }
    #expect(try await bed.attach() == ["Nvme0n1"])
    #expect(try await bed.call("bdev_get_bdevs", nil).arrayValue?.count == 1)
    #expect(try await bed.call("bdev_nvme_detach_controller", ["name": "Nvme0"]) == true)
    order.withLock { $0.append("others") }
    try await bed.target.removePort(silent.identifier)
    #expect(await hanging.value == .system(EIO))
    // Under one name one thing follows the other.
    #expect(await detached.value == .system(ENODEV))
    #expect(order.withLock { $0 } == ["others", "detached"])
    #expect(try await bed.end() == 0)
  }

  @Test func disabledAndEnabledAtOnceBothEnd() async throws {
    let bed = try await NVMeBed()
    try await bed.attach()
    for _ in 0..<20 {
      // Whichever comes first; a wish that is overtaken is not waited for.
      async let disabled = bed.failure("bdev_nvme_disable_controller", ["name": "Nvme0"])
      async let enabled = bed.failure("bdev_nvme_enable_controller", ["name": "Nvme0"])
      async let again = bed.failure("bdev_nvme_enable_controller", ["name": "Nvme0"])
      for error in [await disabled, await enabled, await again] {
        #expect(error == nil || error == .system(EBUSY) || error == .system(EPERM))
      }
    }
    try await eventually {
      await bed.failure("bdev_nvme_enable_controller", ["name": "Nvme0"]) == nil
    }
    #expect(try await bed.states() == ["enabled"])
    #expect(try await bed.end() == 0)
  }

  @Test func whileAResetHangsEverythingElseAnswers() async throws {
    let bed = try await NVMeBed()
    try await bed.attach(["ctrlr_loss_timeout_sec": 60, "reconnect_delay_sec": 1])
    let silence = try await bed.target.addFault(FaultRule(.initialization, .silence))
    let reset = Task { await bed.failure("bdev_nvme_reset_controller", ["name": "Nvme0"]) }
    try await eventually { try await bed.states() == ["resetting"] }
    // The old association is closed first.
    try await eventually { try await bed.target.faultCount(silence) == 1 }
    #expect(await bed.failure("bdev_nvme_reset_controller", ["name": "Nvme0"]) == .system(EBUSY))
    #expect(await bed.failure("bdev_nvme_disable_controller", ["name": "Nvme0"]) == .system(EBUSY))
    #expect(try await bed.call("bdev_get_bdevs", nil).arrayValue?.count == 1)
    #expect(try await bed.call("bdev_nvme_get_io_paths", nil)["poll_groups"]?[0]?["io_paths"] == [])
    // Another controller is attached beside it, once connections are answered again.
    try await bed.target.removeFault(silence)
    try await bed.target.addSubsystem(SubsystemConfiguration(nqn: "nqn.x:2", namespace: .memory(byteCount: 1 << 20)))
    #expect(try await bed.attach("other", ["subnqn": "nqn.x:2"]) == ["othern1"])
    // Detached in the middle of it.
    #expect(try await bed.call("bdev_nvme_detach_controller", ["name": "Nvme0"]) == true)
    #expect(await reset.value != nil)
    #expect(bed.deviceNames == ["othern1"])
    #expect(try await bed.end() == 0)
  }

  @Test func commandsOnPurpose() async throws {
    let bed = try await NVMeBed()
    try await bed.attach()
    // Identify Controller.
    var identify = SubmissionQueueEntry(opcode: 0x06)
    identify.cdw10 = 1
    let answer = try await bed.call(
      "bdev_nvme_send_cmd",
      [
        "name": "Nvme0", "cmd_type": "admin", "data_direction": "c2h",
        "cmdbuf": .string(Base64URL.encode(identify.encode())), "data_len": 4096,
      ])
    let data = try #require(answer["data"]?.stringValue.flatMap { Base64URL.decode($0) })
    #expect(try IdentifyController(decoding: data.span.bytes).modelNumber == "swift-nvmeof embedded target")
    #expect(answer["cpl"]?.stringValue.flatMap { Base64URL.decode($0) }?.count == 16)
    // A write and a read, on an I/O queue.
    let written = pattern(4096, seed: 4)
    try await bed.call(
      "bdev_nvme_send_cmd",
      [
        "name": "Nvme0", "cmd_type": "io", "data_direction": "h2c",
        "cmdbuf": .string(
          Base64URL.encode(
            SubmissionQueueEntry.write(namespaceIdentifier: 1, startingLBA: 8, blockCount: 8).encode())),
        "data": .string(Base64URL.encode(written)), "timeout_ms": 60000,
      ])
    let read = try await bed.call(
      "bdev_nvme_send_cmd",
      [
        "name": "Nvme0", "cmd_type": "io", "data_direction": "c2h",
        "cmdbuf": .string(
          Base64URL.encode(SubmissionQueueEntry.read(namespaceIdentifier: 1, startingLBA: 8, blockCount: 8).encode())),
        "data_len": 4096,
      ])
    #expect(read["data"]?.stringValue.flatMap { Base64URL.decode($0) } == written)
    #expect(try await bed.device("Nvme0n1")?.read(at: 8, blockCount: 8) == written)
    let invalid = RPCError.invalidParameters("Invalid argument")
    for wrong: JSONObject in [
      ["name": "a"], ["cmdbuf": "AAAA"], ["cmdbuf": "!"], ["data_len": 7, "data": "AAAA"], ["data_len": -1],
    ] {
      var request: JSONObject = [
        "name": "Nvme0", "cmd_type": "admin", "data_direction": "c2h",
        "cmdbuf": .string(Base64URL.encode(identify.encode())),
      ]
      for member in wrong.members { request[member.key] = member.value }
      #expect(await bed.failure("bdev_nvme_send_cmd", .object(request)) == invalid, "\(wrong)")
    }
    // One that is not answered in time.
    try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x02), .neverAnswer))
    let late = await bed.failure(
      "bdev_nvme_send_cmd",
      [
        "name": "Nvme0", "cmd_type": "io", "data_direction": "c2h",
        "cmdbuf": .string(
          Base64URL.encode(SubmissionQueueEntry.read(namespaceIdentifier: 1, startingLBA: 0, blockCount: 8).encode())),
        "data_len": 4096, "timeout_ms": 20,
      ])
    #expect(late == RPCError(code: -32603, message: RPCError.text(of: ETIMEDOUT)))
    #expect(try await bed.end() == 0)
  }

  @Test func commandsThatAreNotWaitedForAnyMoreKeepTheirMemory() async throws {
    let bed = try await NVMeBed()
    try await bed.attach()
    try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x02), .neverAnswer))
    let request: JSONValue = [
      "name": "Nvme0", "cmd_type": "io", "data_direction": "c2h",
      "cmdbuf": .string(
        Base64URL.encode(SubmissionQueueEntry.read(namespaceIdentifier: 1, startingLBA: 0, blockCount: 8).encode())),
      "data_len": 16_777_216, "timeout_ms": 1,
    ]
    for _ in 0..<4 {
      #expect(
        await bed.failure("bdev_nvme_send_cmd", request)
          == RPCError(code: -32603, message: RPCError.text(of: ETIMEDOUT)))
    }
    #expect(
      await bed.failure("bdev_nvme_send_cmd", request) == RPCError(code: -32603, message: RPCError.text(of: ENOMEM)))
    // They end with their connection.
    try await bed.call("bdev_nvme_reset_controller", ["name": "Nvme0"])
    try await eventually { bed.service.commandMemory.take(64 << 20) }
    #expect(try await bed.end() == 0)
  }

  @Test func errorsOnPurpose() async throws {
    let bed = try await NVMeBed()
    try await bed.call("bdev_nvme_set_options", ["transport_retry_count": 0, "bdev_retry_count": 0])
    try await bed.attach()
    let device = try #require(bed.device("Nvme0n1"))
    _ = try await device.read(at: 0, blockCount: 8)
    // Two reads are answered by something else than what the controller said: "Unrecovered Read Error".
    try await bed.call(
      "bdev_nvme_add_error_injection",
      ["name": "Nvme0", "cmd_type": "io", "opc": 2, "err_count": 2, "sct": 2, "sc": 0x81])
    for _ in 0..<2 {
      do {
        _ = try await device.read(at: 0, blockCount: 8)
        Issue.record("it did not fail")
      } catch { #expect(error.status?.matches(StatusField(.mediaAndDataIntegrity, 0x81)) == true) }
    }
    _ = try await device.read(at: 0, blockCount: 8)
    try await device.write(at: 0, pattern(4096, seed: 5))
    // A write that never leaves fails after its time.
    try await bed.call(
      "bdev_nvme_add_error_injection",
      [
        "name": "Nvme0", "cmd_type": "io", "opc": 1, "do_not_submit": true, "timeout_in_us": 20000, "err_count": 100,
        "sct": 0, "sc": 6,
      ])
    await #expect(throws: BlockError.self) { try await device.write(at: 0, pattern(4096, seed: 6)) }
    #expect(try await device.read(at: 0, blockCount: 8) == pattern(4096, seed: 5))
    try await bed.call("bdev_nvme_remove_error_injection", ["name": "Nvme0", "cmd_type": "io", "opc": 1])
    try await device.write(at: 0, pattern(4096, seed: 6))
    // Admin commands.
    try await bed.call(
      "bdev_nvme_add_error_injection", ["name": "Nvme0", "cmd_type": "admin", "opc": 2, "sct": 0, "sc": 6])
    #expect(
      await bed.failure("bdev_nvme_get_controller_health_info", ["name": "Nvme0"]) == .internalError("Internal error."))
    let health = try await bed.call("bdev_nvme_get_controller_health_info", ["name": "Nvme0"])
    #expect(health["model_number"] == "swift-nvmeof embedded target" && health["percentage_used"] != nil)
    // What is withheld ends with its connection, and is sent again on the next one.
    try await bed.call(
      "bdev_nvme_add_error_injection",
      ["name": "Nvme0", "cmd_type": "io", "opc": 2, "do_not_submit": true, "timeout_in_us": 3_600_000_000])
    let held = Task { try await device.read(at: 0, blockCount: 8) }
    try await Task.sleep(for: .milliseconds(20))
    try await bed.call("bdev_nvme_reset_controller", ["name": "Nvme0"])
    #expect(try await held.value == pattern(4096, seed: 6))
    #expect(try await bed.end() == 0)
  }

  @Test(arguments: ["reset", "abort"]) func commandsThatTakeTooLong(_ action: String) async throws {
    let bed = try await NVMeBed()
    try await bed.call(
      "bdev_nvme_set_options",
      ["timeout_us": 2_000_000, "action_on_timeout": .string(action), "keep_alive_timeout_ms": 10_000])
    try await bed.attach(["ctrlr_loss_timeout_sec": 60, "reconnect_delay_sec": 1])
    let device = try #require(bed.device("Nvme0n1"))
    _ = try await device.read(at: 0, blockCount: 8)
    try await bed.target.addFault(FaultRule(.ioCommand(opcode: 0x02), .neverAnswer, count: 1))
    // It is carried out all the same, once that has been noticed.
    _ = try await device.read(at: 0, blockCount: 8)
    let snapshot = bed.service.controllers.set(named: "Nvme0")?.controllers[0].controller.snapshot
    #expect(action == "abort" ? (snapshot?.abortCount ?? 0) > 0 : snapshot?.recovery.lossCount == 1)
    #expect(try await bed.end() == 0)
  }

  @Test func errorsThatARetryMendsAreCounted() async throws {
    let bed = try await NVMeBed()
    try await bed.call("bdev_nvme_set_options", ["nvme_error_stat": true])
    try await bed.attach()
    let device = try #require(bed.device("Nvme0n1"))
    _ = try await device.read(at: 0, blockCount: 8)
    try await bed.call(
      "bdev_nvme_add_error_injection",
      ["name": "Nvme0", "cmd_type": "io", "opc": 2, "err_count": 2, "sct": 0, "sc": 6])
    _ = try await device.read(at: 0, blockCount: 8)
    let multipath = try #require(bed.service.devices.device(named: "Nvme0n1")?.nvme?.multipath)
    let expected: JSONValue = ["status_type": ["generic": 2], "status_code": ["internal_device_error": 2]]
    #expect(StatisticsMethods.errors(of: multipath) == expected)
    bed.service.devices.device(named: "Nvme0n1")?.resetStatistics(.extremes)
    #expect(StatisticsMethods.errors(of: multipath) == expected)
    bed.service.devices.device(named: "Nvme0n1")?.resetStatistics(.failures)
    #expect(StatisticsMethods.errors(of: multipath) == ["status_type": [:], "status_code": [:]])
    #expect(try await bed.end() == 0)
  }

  @Test func pathsAndTransportsAreCounted() async throws {
    let bed = try await NVMeBed()
    try await bed.call("bdev_nvme_set_options", ["io_path_stat": true])
    let second = try await bed.target.addPort()
    try await bed.attach()
    try await bed.attach("Nvme0", port: second)
    #expect(await bed.failure("bdev_nvme_get_path_iostat", ["name": "a"]) == .system(ENODEV))
    let device = try #require(bed.device("Nvme0n1"))
    for _ in 0..<8 { _ = try await device.read(at: 0, blockCount: 8) }
    func counts() async throws -> [UInt64] {
      let answer = try await bed.call("bdev_nvme_get_path_iostat", ["name": "Nvme0n1"])
      return answer["stats"]?.arrayValue?.compactMap { $0["stat"]?["num_read_ops"]?.integerValue() } ?? []
    }
    #expect(try await counts() == [8, 0])
    try await bed.call(
      "bdev_nvme_set_multipath_policy", ["name": "Nvme0n1", "policy": "active_active", "selector": "round_robin"])
    for _ in 0..<8 { _ = try await device.read(at: 0, blockCount: 8) }
    let both = try await counts()
    #expect(both.reduce(0, +) == 16 && both[1] > 0)
    let statistics = try await bed.call("bdev_nvme_get_transport_statistics", nil)
    let transport = try #require(statistics["poll_groups"]?[0]?["transports"]?[0])
    #expect(
      transport["trname"] == "TCP" && transport["nvme_completions"] == 16 && transport["submitted_requests"] == 16)
    #expect(transport["polls"]?.integerValue(UInt64.self) ?? 0 > 0)
    #expect(try await bed.end() == 0)
  }

  @Test func firmwareIsRefusedHonestly() async throws {
    let bed = try await NVMeBed()
    try await bed.attach()
    func failure(_ file: String) async -> RPCError? {
      await bed.failure("bdev_nvme_apply_firmware", ["filename": .string(file), "bdev_name": "Nvme0n1"])
    }
    #expect(await failure("/nonexistent") == .internalError("open file failed."))
    #expect(await failure("/dev/zero") == .internalError("Read firmware image failed!"))
    // The embedded target has no firmware.
    #expect(
      await failure("/proc/self/exe").map {
        ["firmware download failed .", "Firmware image size is not multiple of 4.", "Read firmware image failed!"]
          .contains($0.message)
      } == true)
    #expect(try await bed.end() == 0)
  }
}
