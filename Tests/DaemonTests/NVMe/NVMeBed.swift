import BlockDevice
@testable import Daemon
import EmbeddedTarget
import JSONRPC
import Logging
import TestSupport

/// The methods about NVMe over an embedded target, without sockets: a control reactor, I/O reactors, and all registries.
final class NVMeBed: Sendable {
  static let nqn = "nqn.2026-11.io.swift-nvmeof:daemon"
  static let hostNQN = "nqn.2014-08.org.nvmexpress:uuid:7f2d5ac2-4c3a-4f0e-9c66-0c6a1e7f3b10"

  let target: EmbeddedTarget
  let port: EmbeddedTarget.Port
  let control: ReactorThread
  let reactors: [ReactorThread]
  let service: NVMeService
  let table: RPCMethodTable
  /// What the registries have said.
  let log = LogRecorder()

  init(
    namespaces: [UInt32: NamespaceConfiguration] = [1: .memory(byteCount: 1 << 22)], reactorCount: Int = 1,
    detachPatience: Duration = .seconds(10), probation: ClosedRange<UInt32> = 10_000...300_000,
    target configure: (inout TargetConfiguration) -> Void = { _ in }
  ) async throws {
    var configuration = TargetConfiguration()
    configure(&configuration)
    target = try await EmbeddedTarget.start(configuration: configuration)
    var subsystem = SubsystemConfiguration(nqn: Self.nqn)
    subsystem.namespaces = namespaces
    try await target.addSubsystem(subsystem)
    port = try await target.addPort()
    control = try ReactorThread(name: "control")
    reactors = try (0..<reactorCount).map { try ReactorThread(name: "io_\($0)") }
    service = Self.makeService(
      control: control, reactors: reactors, logger: log.logger(), detachPatience: detachPatience,
      probation: probation)
    table = RPCMethodTable(NVMeMethods.all(service))
  }

  static func makeService(
    control: ReactorThread, reactors: [ReactorThread],
    logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, detachPatience: Duration = .seconds(10),
    probation: ClosedRange<UInt32> = 10_000...300_000
  ) -> NVMeService {
    let devices = DeviceRegistry()
    let controllers = ControllerRegistry(
      devices: devices, control: control.handle, reactors: reactors.map(\.handle),
      identity: HostIdentity(hostNQN: hostNQN, hostIdentifier: Identifier128(high: 0x7f2d, low: 0x5ac2)),
      logger: logger, detachPatience: detachPatience, probationDelayMilliseconds: probation)
    return NVMeService(
      controllers: controllers, devices: devices,
      ioThreads: reactors.enumerated().map { NVMeService.IOThread(name: "io_\($0)", reactor: $1.handle) },
      hasKey: { $0 == "key0" })
  }

  @discardableResult
  func call(_ method: String, _ parameters: JSONValue? = nil) async throws(RPCError) -> JSONValue {
    switch try await table.call(method, parameters, in: .runTime) {
    case .value(let value): return value
    case .text(let text): return Self.value(of: text)
    }
  }

  static func value(of text: [UInt8]) -> JSONValue {
    text.withUnsafeBytes { bytes in (try? JSONParser.value(of: bytes)) ?? "no JSON" }
  }

  /// What `bdev_get_bdevs` is to say now.
  var devicesNow: JSONValue { .array(service.devices.devices.map { .object(DeviceText.members(of: $0)) }) }

  /// The error that a call ends in; nil when it succeeds.
  func failure(_ method: String, _ parameters: JSONValue? = nil) async -> RPCError? {
    do throws(RPCError) {
      try await call(method, parameters)
      return nil
    } catch {
      // The detail is for the log.
      return RPCError(code: error.code, message: error.message)
    }
  }

  /// What an attach needs, with more of it.
  func attachment(
    _ name: String = "Nvme0", port: EmbeddedTarget.Port? = nil, _ more: JSONObject = [:]
  ) -> JSONValue {
    var members: JSONObject = [
      "name": .string(name), "trtype": "tcp", "adrfam": "ipv4", "traddr": "127.0.0.1",
      "trsvcid": .string(String((port ?? self.port).port)), "subnqn": .string(Self.nqn),
    ]
    for member in more.members { members[member.key] = member.value }
    return .object(members)
  }

  @discardableResult
  func attach(
    _ name: String = "Nvme0", port: EmbeddedTarget.Port? = nil, _ more: JSONObject = [:]
  ) async throws(RPCError) -> JSONValue {
    try await call("bdev_nvme_attach_controller", attachment(name, port: port, more))
  }

  func device(_ name: String) -> (any BlockDevice)? { service.devices.device(named: name)?.device }

  /// Under the usual name.
  @discardableResult
  func attach(_ more: JSONObject) async throws(RPCError) -> JSONValue { try await attach("Nvme0", port: nil, more) }

  /// The states of a name's controllers.
  func states(_ name: String = "Nvme0") async throws -> [String] {
    let answer = try await call("bdev_nvme_get_controllers", ["name": .string(name)])
    return answer[0]?["ctrlrs"]?.arrayValue?.compactMap { $0["state"]?.stringValue } ?? []
  }

  var deviceNames: [String] { service.devices.devices.map(\.name) }

  /// Ends all of it.
  ///
  /// - Returns: sources left on the host's reactors; 0 is right.
  func end() async throws -> Int {
    await service.controllers.stop()
    let threads = [control] + reactors
    var left = 0
    // Channels of devices that are still held close within a few turns.
    for _ in 0..<400 {
      left = 0
      for thread in threads { left += try await thread.handle.perform { $0.sourceCount } }
      if left == 0 { break }
      try await Task.sleep(for: .milliseconds(5))
    }
    await target.stop()
    for thread in threads { thread.stop() }
    return left
  }
}
