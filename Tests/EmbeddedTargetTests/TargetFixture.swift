import BlockDevice
import EmbeddedTarget
import Foundation
import Testing

/// A target on a thread of its own and a host reactor on another, for tests over loopback.
struct TargetFixture {
  static let nqn = "nqn.2026-01.org.example:embedded"

  let target: EmbeddedTarget
  let port: EmbeddedTarget.Port
  let hostThread: ReactorThread

  /// A subsystem with the given namespaces on one port of 127.0.0.1.
  static func make(
    namespaces: [UInt32: NamespaceConfiguration] = [1: .memory(byteCount: 64 << 20)],
    target configuration: TargetConfiguration = TargetConfiguration()
  ) async throws -> TargetFixture {
    let target = try await EmbeddedTarget.start(configuration: configuration, seed: 1)
    var subsystem = SubsystemConfiguration(nqn: nqn)
    subsystem.namespaces = namespaces
    try await target.addSubsystem(subsystem)
    let port = try await target.addPort()
    return TargetFixture(target: target, port: port, hostThread: try ReactorThread(name: "test-host"))
  }

  func controller(
    options: TCPTransportOptions = TCPTransportOptions(), _ change: (inout ControllerConfiguration) -> Void = { _ in }
  ) -> Controller {
    var configuration = ControllerConfiguration(
      subsystemNQN: Self.nqn, hostNQN: "nqn.2026-01.org.example:host",
      hostIdentifier: Identifier128(bytes: [UInt8](1...16))!)
    change(&configuration)
    return Controller(
      transport: TCPTransport(host: port.host, port: port.port, options: options), configuration: configuration,
      home: hostThread.handle)
  }

  /// A controller that is ready, and the device of its namespace 1.
  func connected(
    headerDigest: Bool = false, dataDigest: Bool = false, _ change: (inout ControllerConfiguration) -> Void = { _ in }
  ) async throws -> (controller: Controller, device: NVMeBlockDevice) {
    var options = TCPTransportOptions()
    options.headerDigest = headerDigest
    options.dataDigest = dataDigest
    let controller = controller(options: options, change)
    controller.connect()
    try await controller.ready()
    return (controller, try #require(controller.blockDevice(namespaceIdentifier: 1)))
  }

  func stop() async {
    await target.stop()
    hostThread.stop()
  }
}

/// Compares in one go: a debug build's element-wise comparison of megabytes takes seconds.
func isEqual(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> Bool {
  a.count == b.count
    && a.withUnsafeBytes { a in
      b.withUnsafeBytes { b in a.isEmpty || memcmp(a.baseAddress!, b.baseAddress!, a.count) == 0 }
    }
}

func isZero(_ bytes: [UInt8]) -> Bool { isEqual(bytes[...], [UInt8](repeating: 0, count: bytes.count)[...]) }

/// Bytes of this process that are in memory.
func residentByteCount() throws -> Int {
  let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
  guard fields.count > 1, let pages = Int(fields[1]) else { throw WireHost.Failure(description: "statm: \(fields)") }
  return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
}
