import BlockDevice
import NVMeHost
import NVMeProtocol
import RingReactor
import TCPTransport
import TestSupport
import Testing

/// A host's reactor that controllers of hostile targets come and go on.
final class HostileScene: Sendable {
  let thread: ReactorThread

  init(waitPolicy: WaitPolicy = .adaptive) throws { thread = try ReactorThread(waitPolicy: waitPolicy) }

  func makeController(
    port: UInt16, milliseconds: UInt32, ioMilliseconds: UInt32 = 30_000, keepAliveMilliseconds: UInt32 = 0,
    options: TCPTransportOptions = TCPTransportOptions()
  ) -> Controller {
    var configuration = ControllerConfiguration(
      subsystemNQN: "nqn.2026-11.io.swift-nvmeof:hostile", hostNQN: "nqn.2026-11.io.swift-nvmeof:host",
      hostIdentifier: Identifier128(high: 1, low: 2))
    configuration.connectTimeoutMilliseconds = milliseconds
    configuration.adminTimeoutMilliseconds = milliseconds
    configuration.shutdownTimeoutMilliseconds = milliseconds
    configuration.ioTimeoutMilliseconds = ioMilliseconds
    configuration.keepAliveTimeoutMilliseconds = keepAliveMilliseconds
    configuration.queueDepth = 16
    return Controller(
      transport: TCPTransport(host: "127.0.0.1", port: port, options: options), configuration: configuration,
      home: thread.handle)
  }

  /// Waits until nothing is left on the reactor; false when something stays.
  func isEmpty() async throws -> Bool {
    for _ in 0..<3000 {
      if try await thread.handle.perform({ $0.sourceCount }) == 0 { return true }
      try await Task.sleep(for: .milliseconds(10))
    }
    return false
  }

  /// Connects to a target with this script, which must fail.
  func expectRefusal(
    milliseconds: UInt32, script: @escaping HostileTarget.Script,
    isExpected: @Sendable (ControllerError) -> Bool = { _ in true }, comment: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> HostileTarget.Record {
    let target = try HostileTarget(script: script)
    let controller = makeController(port: target.port, milliseconds: milliseconds)
    controller.connect()
    do throws(ControllerError) {
      try await controller.ready()
      Issue.record("it became ready: \(comment)", sourceLocation: sourceLocation)
      await controller.disconnect()
    } catch {
      #expect(!error.description.isEmpty)
      if !isExpected(error) { Issue.record("\(comment): \(error)", sourceLocation: sourceLocation) }
    }
    if case .closed = controller.condition {
    } else {
      Issue.record("not closed: \(comment)", sourceLocation: sourceLocation)
    }
    let record = await stop(target)
    #expect(
      record.endedCount == record.acceptedCount, "a connection stayed open: \(comment)", sourceLocation: sourceLocation)
    return record
  }

  /// Joining threads blocks: not on one of the few threads that tasks have.
  func stop(_ target: HostileTarget) async -> HostileTarget.Record {
    await withUnsafeContinuation { continuation in
      TestThread { continuation.resume(returning: target.stop()) }.detach()
    }
  }

  /// Runs `body` for all of `elements`, so many at a time.
  static func forEach<Element: Sendable>(
    _ elements: [Element], width: Int = 24, _ body: @escaping @Sendable (Element) async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      var rest = elements[...]
      for element in rest.prefix(width) { group.addTask { try await body(element) } }
      rest = rest.dropFirst(width)
      while try await group.next() != nil {
        if let element = rest.popFirst() { group.addTask { try await body(element) } }
      }
    }
  }
}
