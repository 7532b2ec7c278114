import BlockDevice
@testable import Daemon
import EmbeddedTarget
import Glibc
import JSONRPC
import Testing

@Suite(.timeLimit(.minutes(2))) struct RefusalTests {
  private static let undecodable = RPCError.undecodable

  @Test func aCommandWithoutAnAnswerSaysWhy() {
    let busy = NVMeCommandMethods.unanswered(.busy(waitingCount: 1024))
    #expect(busy.message == "Device or resource busy")
    #expect(busy.detail?.contains("the controller is busy, 1024 admin commands are waiting already") == true)
    #expect(NVMeCommandMethods.unanswered(.disconnected).message == "No such device or address")
  }

  @Test func undecodableParameters() async throws {
    let bed = try await NVMeBed()
    let invalid = RPCError.invalidParameters("Invalid argument")
    let cases: [(String, JSONValue?, RPCError)] = [
      ("bdev_nvme_set_options", ["timeout_us": -1], Self.undecodable),
      ("bdev_nvme_set_options", ["action_on_timeout": "retry"], Self.undecodable),
      ("bdev_nvme_set_options", ["multipath_opts": ["policy": "both"]], Self.undecodable),
      ("bdev_nvme_set_options", ["unknown": 1], Self.undecodable),
      ("bdev_nvme_attach_controller", nil, Self.undecodable),
      ("bdev_nvme_attach_controller", ["name": "a", "trtype": "TCP"], Self.undecodable),
      ("bdev_nvme_attach_controller", bed.attachment("a", ["hdgst": 1]), Self.undecodable),
      ("bdev_nvme_attach_controller", bed.attachment("a", ["multipath": "none"]), Self.undecodable),
      ("bdev_nvme_attach_controller", bed.attachment("a", ["unknown": true]), Self.undecodable),
      ("bdev_nvme_detach_controller", [:], Self.undecodable),
      ("bdev_nvme_get_controllers", ["name": 1], Self.undecodable),
      ("bdev_nvme_get_io_paths", ["unknown": 1], .invalidParameters("bdev_nvme_get_io_paths requires no parameters")),
      ("bdev_nvme_set_preferred_path", ["name": "a"], Self.undecodable),
      ("bdev_nvme_set_preferred_path", ["name": "a", "cntlid": 65536], Self.undecodable),
      ("bdev_nvme_set_multipath_policy", ["name": "a"], Self.undecodable),
      (
        "bdev_nvme_set_multipath_policy", ["name": "a", "policy": "active_passive", "selector": "queue_depth"],
        Self.undecodable
      ),
      ("bdev_nvme_reset_controller", ["name": 1], invalid), ("bdev_nvme_enable_controller", nil, invalid),
      ("bdev_nvme_disable_controller", ["name": "a", "cntlid": -1], invalid),
      (
        "bdev_nvme_get_transport_statistics", ["name": "a"],
        .invalidParameters("'bdev_nvme_get_transport_statistics' requires no arguments")
      ),
      ("bdev_nvme_get_controller_health_info", nil, .internalError("Missing device name")),
      ("bdev_nvme_get_controller_health_info", ["name": 1], .internalError("Invalid parameters")),
      ("bdev_nvme_get_controller_health_info", ["name": "a"], .internalError("Device not found")),
      ("bdev_nvme_start_discovery", ["name": "a", "trtype": "tcp"], Self.undecodable),
      ("bdev_nvme_stop_discovery", nil, Self.undecodable),
      ("bdev_nvme_start_mdns_discovery", ["name": "a"], Self.undecodable),
      ("bdev_nvme_set_keys", ["nam": "a"], .invalidParameters("spdk_json_decode_object failed")),
      ("bdev_nvme_add_error_injection", ["name": "a"], .invalidArgument("Failed to parse the request")),
      ("bdev_nvme_remove_error_injection", ["name": "a"], .invalidArgument("Failed to parse the request")),
      ("bdev_nvme_send_cmd", ["name": "a"], invalid), ("bdev_nvme_set_hotplug", [:], invalid),
      ("bdev_nvme_apply_firmware", [:], .internalError("spdk_json_decode_object failed.")),
      ("bdev_get_bdevs", ["timeout": 5, "nme": "a"], Self.undecodable),
    ]
    for (method, parameters, error) in cases {
      #expect(await bed.failure(method, parameters) == error, "\(method) \(parameters ?? nil)")
    }
    #expect(try await bed.end() == 0)
  }

  @Test func namesOfNothing() async throws {
    let bed = try await NVMeBed()
    let cases: [(String, JSONValue?, RPCError)] = [
      ("bdev_nvme_detach_controller", ["name": "a"], .system(ENODEV)),
      ("bdev_nvme_get_controllers", ["name": "a"], .invalidArgument("Controller a does not exist")),
      ("bdev_nvme_reset_controller", ["name": "a"], .system(ENODEV)),
      ("bdev_nvme_set_preferred_path", ["name": "a", "cntlid": 1], .system(ENODEV)),
      ("bdev_nvme_set_multipath_policy", ["name": "a", "policy": "active_passive"], .system(ENODEV)),
      (
        "bdev_nvme_set_multipath_policy", ["name": "a", "policy": "active_active", "rr_min_io": 0], .system(EINVAL)
      ),
      (
        "bdev_nvme_get_path_iostat", ["name": "a"],
        RPCError(code: -1, message: "RPC not enabled if enable_io_path_stat is false")
      ),
      ("bdev_nvme_stop_discovery", ["name": "a"], .system(ENOENT)),
      ("bdev_nvme_start_mdns_discovery", ["name": "a", "svcname": "b"], .system(EOPNOTSUPP)),
      ("bdev_nvme_stop_mdns_discovery", ["name": "a"], .system(EOPNOTSUPP)),
      ("bdev_nvme_get_mdns_discovery_info", nil, .system(EOPNOTSUPP)),
      ("bdev_nvme_set_keys", ["name": "a"], .system(ENODEV)),
      ("bdev_nvme_add_error_injection", ["name": "a", "cmd_type": "io", "opc": 2], .system(ENODEV)),
      ("bdev_nvme_remove_error_injection", ["name": "a", "cmd_type": "io", "opc": 2], .system(ENODEV)),
      (
        "bdev_nvme_apply_firmware", ["filename": "/dev/null", "bdev_name": "a"],
        .internalError("bdev a could not be opened")
      ),
      ("bdev_get_bdevs", ["name": "a"], .system(ENODEV)),
      ("bdev_get_bdevs", ["name": "a", "timeout": 5], .system(ETIMEDOUT)),
    ]
    for (method, parameters, error) in cases {
      #expect(await bed.failure(method, parameters) == error, "\(method) \(parameters ?? nil)")
    }
    #expect(try await bed.end() == 0)
  }

  @Test func attachmentsThatCannotBe() async throws {
    let bed = try await NVMeBed()
    let long = String(repeating: "x", count: 300)
    let cases: [(JSONValue, RPCError)] = [
      (bed.attachment("a", ["max_bdevs": 0]), .invalidArgument("max_bdevs cannot be zero")),
      (bed.attachment("a", ["trtype": .string(long)]), .invalidArgument("Failed to parse trtype: \(long)")),
      (bed.attachment("a", ["trtype": "rdma"]), .system(ENODEV)),
      (bed.attachment("a", ["adrfam": "ipx"]), .invalidArgument("Failed to parse adrfam: ipx")),
      (bed.attachment("a", ["traddr": .string(long)]), .invalidArgument("traddr too long: \(long)")),
      (bed.attachment("a", ["trsvcid": .string(long)]), .invalidArgument("trsvcid too long: \(long)")),
      (bed.attachment("a", ["subnqn": .string(long)]), .invalidArgument("subnqn too long: \(long)")),
      (bed.attachment("a", ["hostnqn": .string(long)]), .invalidArgument("hostnqn too long: \(long)")),
      (bed.attachment("a", ["hostaddr": .string(long)]), .invalidArgument("hostaddr too long: \(long)")),
      (bed.attachment("a", ["hostsvcid": .string(long)]), .invalidArgument("hostsvcid too long: \(long)")),
      (
        bed.attachment("a", ["num_io_queues": 0]),
        .invalidArgument("num_io_queues out of bounds, min: 1 max: 65536")
      ),
      (
        bed.attachment("a", ["num_io_queues": 65537]),
        .invalidArgument("num_io_queues out of bounds, min: 1 max: 65536")
      ),
      (bed.attachment(""), .system(EINVAL)), (bed.attachment(String(repeating: "n", count: 512)), .system(EINVAL)),
      (bed.attachment("a", ["reconnect_delay_sec": 1]), .system(EINVAL)),
      (bed.attachment("a", ["ctrlr_loss_timeout_sec": -1]), .system(EINVAL)),
      (bed.attachment("a", ["ctrlr_loss_timeout_sec": -2, "reconnect_delay_sec": 1]), .system(EINVAL)),
      (bed.attachment("a", ["ctrlr_loss_timeout_sec": 5, "reconnect_delay_sec": 6]), .system(EINVAL)),
      (
        bed.attachment(
          "a", ["ctrlr_loss_timeout_sec": 5, "reconnect_delay_sec": 2, "fast_io_fail_timeout_sec": 1]),
        .system(EINVAL)
      ),
      (bed.attachment("a", ["multipath_opts": ["policy": "active_active", "min_io": 0]]), .system(EINVAL)),
      (bed.attachment("a", ["psk": "none"]), .system(ENOKEY)),
      (bed.attachment("a", ["dhchap_key": "none"]), .system(ENOKEY)),
      (
        bed.attachment("a", ["psk": "key0"]),
        RPCError(
          code: -Int(EOPNOTSUPP), message: "Key 'key0' cannot be used: TLS and authentication are not supported yet")
      ),
      // Nobody is there.
      (bed.attachment("a", ["trsvcid": "1"]), .system(EIO)),
      // There, but unknown.
      (bed.attachment("a", ["subnqn": "nqn.x:unknown"]), .system(EIO)),
    ]
    for (parameters, error) in cases {
      #expect(await bed.failure("bdev_nvme_attach_controller", parameters) == error, "\(parameters)")
    }
    for refused: JSONObject in [
      ["prchk_guard": true], ["prchk_reftag": true], ["allow_unrecognized_csi": true], ["hostsvcid": "4000"],
      ["hostaddr": "somewhere"], ["priority": "high"],
    ] {
      let error = await bed.failure("bdev_nvme_attach_controller", bed.attachment("a", refused))
      // With a reason.
      #expect(error?.code == -22 && error?.message != RPCError.text(of: EINVAL), "\(refused)")
    }
    #expect(try await bed.call("bdev_nvme_get_controllers", nil) == [])
    #expect(try await bed.end() == 0)
  }

  @Test func attachmentsThatDoNotFitWhatThereIs() async throws {
    let bed = try await NVMeBed(namespaces: [1: .memory(byteCount: 1 << 20), 2: .memory(byteCount: 1 << 20)])
    let second = try await bed.target.addPort()
    try await bed.target.addSubsystem(SubsystemConfiguration(nqn: "nqn.x:2", namespace: .memory(byteCount: 1 << 20)))
    try await bed.attach()
    let already = -Int(EALREADY)
    let cases: [(JSONValue, RPCError)] = [
      (
        bed.attachment("Nvme0", port: second, ["multipath": "disable"]),
        RPCError(code: already, message: "A controller named Nvme0 already exists and multipath is disabled")
      ),
      (
        bed.attachment(),
        RPCError(code: already, message: "A controller named Nvme0 already exists with the specified network path")
      ),
      (
        bed.attachment("Nvme0", port: second, ["subnqn": "nqn.x:2"]),
        .invalidArgument(
          "A controller named Nvme0 already exists, but uses a different subnqn (\(NVMeBed.nqn))")
      ),
      (
        bed.attachment("Nvme0", port: second, ["hostnqn": "nqn.x:host"]),
        .invalidArgument(
          "A controller named Nvme0 already exists, but uses a different hostnqn (\(NVMeBed.hostNQN))")
      ),
      (
        bed.attachment("Nvme0", port: second, ["prchk_guard": true]),
        .invalidArgument("A controller named Nvme0 already exists. To add a path, do not specify PI options.")
      ),
      (bed.attachment("Nvme0", port: second, ["multipath": "failover"]), .system(EINVAL)),
      (bed.attachment("other"), .system(EEXIST)),
    ]
    for (parameters, error) in cases {
      #expect(await bed.failure("bdev_nvme_attach_controller", parameters) == error, "\(parameters)")
    }
    #expect(
      await bed.failure("bdev_nvme_attach_controller", bed.attachment("many", port: second, ["max_bdevs": 1]))
        == .system(ERANGE))
    #expect(bed.deviceNames == ["Nvme0n1", "Nvme0n2", "manyn1", "manyn2"])
    #expect(try await bed.end() == 0)
  }

  @Test func optionsAreHeldAgainstTheirRules() async throws {
    let bed = try await NVMeBed()
    for wrong: JSONValue in [
      ["timeout_admin_us": 5], ["bdev_retry_count": -2], ["ctrlr_loss_timeout_sec": 1], ["fast_io_fail_timeout_sec": 1],
      ["multipath_opts": ["policy": "active_active", "min_io": 0]], ["arbitration_burst": 8], ["transport_tos": 1],
      ["rdma_srq_size": 1], ["rdma_max_cq_size": 1], ["rdma_cm_event_timeout_ms": 1], ["rdma_umr_per_io": true],
      ["allow_accel_sequence": true], ["low_priority_weight": 256],
    ] {
      #expect(await bed.failure("bdev_nvme_set_options", wrong)?.code == -22, "\(wrong)")
    }
    #expect(bed.service.controllers.options == NVMeOptions())
    // All of them at once, as a client's save has them.
    let all = NVMeConfiguration.entries(of: bed.service.controllers)[0]
    #expect(try await bed.call(all.method, all.parameters.map { .object($0) }) == true)
    #expect(bed.service.controllers.options == NVMeOptions())
    try await bed.call("bdev_nvme_set_options", ["keep_alive_timeout_ms": 500, "io_path_stat": true])
    // What is not said stays.
    try await bed.call("bdev_nvme_set_options", ["timeout_us": 1e6, "action_on_timeout": "abort"])
    let options = NVMeConfiguration.entries(of: bed.service.controllers)[0].parameters
    #expect(options?["keep_alive_timeout_ms"] == 500 && options?["timeout_us"] == 1_000_000)
    try await bed.attach()
    #expect(
      await bed.failure("bdev_nvme_set_options", [:])
        == RPCError(code: -1, message: "RPC not permitted with nvme controllers already attached"))
    let configuration = bed.service.controllers.set(named: "Nvme0")?.controllers[0].controller.configuration
    #expect(configuration?.timeoutAction == .abort && configuration?.ioTimeoutMilliseconds == 1000)
    #expect(configuration?.keepAliveTimeoutMilliseconds == 500)
    #expect(try await bed.end() == 0)
  }
}
