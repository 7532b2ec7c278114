import BlockDevice
import EmbeddedTarget

/// An embedded target with one subsystem, and a controller connected to it, each with a thread of its own.
final class TestBed: Sendable {
  static let nqn = "nqn.2026-11.io.swift-nvmeof:test"
  static let hostNQN = "nqn.2014-08.org.nvmexpress:uuid:7f2d5ac2-4c3a-4f0e-9c66-0c6a1e7f3b10"

  let target: EmbeddedTarget
  let port: EmbeddedTarget.Port
  let thread: ReactorThread
  let controller: Controller

  /// - Parameters:
  ///   - configure: changes the target's configuration.
  ///   - tune: changes the host's.
  init(
    namespaces: [UInt32: NamespaceConfiguration] = [1: .memory(byteCount: 1 << 24)],
    options: TCPTransportOptions = TCPTransportOptions(),
    waitPolicy: WaitPolicy = .adaptive,
    target configure: (inout TargetConfiguration) -> Void = { _ in },
    host tune: (inout ControllerConfiguration) -> Void = { _ in }
  ) async throws {
    var configuration = TargetConfiguration()
    configure(&configuration)
    target = try await EmbeddedTarget.start(configuration: configuration)
    var subsystem = SubsystemConfiguration(nqn: Self.nqn)
    subsystem.namespaces = namespaces
    try await target.addSubsystem(subsystem)
    port = try await target.addPort()
    thread = try ReactorThread(waitPolicy: waitPolicy)
    var host = ControllerConfiguration(
      subsystemNQN: Self.nqn, hostNQN: Self.hostNQN, hostIdentifier: Identifier128(high: 0x7f2d, low: 0x5ac2))
    host.connectTimeoutMilliseconds = 5000
    host.adminTimeoutMilliseconds = 5000
    tune(&host)
    controller = Controller(
      transport: TCPTransport(host: "127.0.0.1", port: port.port, options: options), configuration: host,
      home: thread.handle)
  }

  func connect() async throws -> Controller {
    controller.connect()
    try await controller.ready()
    return controller
  }

  /// Ends all of it.
  ///
  /// - Parameter openFaces: devices whose `async` face has been used and that are still held: each keeps two sources.
  /// - Returns: sources left on the host's reactor beside those; 0 is right.
  func end(openFaces: Int = 1) async throws -> Int {
    await controller.disconnect()
    // The last sources leave at the end of the turn that closes the controller; those of a connection that was lost
    // shortly before, when the kernel has given their sockets back.
    let expected = 2 * openFaces
    var left = try await thread.handle.perform { $0.sourceCount }
    let end = ContinuousClock.now + .seconds(10)
    while left > expected, ContinuousClock.now < end {
      try await Task.sleep(for: .milliseconds(5))
      left = try await thread.handle.perform { $0.sourceCount }
    }
    await target.stop()
    thread.stop()
    return left - expected
  }
}
