import BlockDevice
import Glibc
import NVMeHost
import NVMeProtocol
import NVMeTCPProtocol
import RingReactor
import TCPTransport
import Testing

/// Whatever a target does with I/O commands: each ends once with an outcome, no byte beside a buffer is written, and the
/// controller ends with an error that says why.
@Suite("Hostile target: I/O", .serialized)
struct HostileIOTests {
  struct Trick: Sendable, CustomTestStringConvertible {
    var name: String
    var operation = BlockOperation.read
    /// Of the I/O queue's PDUs, the first after ICResp and the response to Connect being 0.
    var index = 0
    var outcome = BlockOutcome.connectionLost
    var fatalErrorStatus: FatalErrorStatus?
    /// The controller's end; nil when it goes on.
    var kind: TransportError.Kind? = .protocolViolation
    /// What its end may look like as well.
    var otherKind: TransportError.Kind?
    var replacement: @Sendable ([UInt8]) -> [HostileTarget.Deed]
    var testDescription: String { name }
  }

  private static func dataIdentifier(_ pdu: [UInt8]) -> UInt16 { UInt16(pdu[8]) | UInt16(pdu[9]) << 8 }
  private static func responseIdentifier(_ pdu: [UInt8]) -> UInt16 { UInt16(pdu[20]) | UInt16(pdu[21]) << 8 }
  private static func content(_ count: Int) -> [UInt8] { [UInt8](repeating: 0x77, count: count) }

  static let tricks: [Trick] = [
    Trick(name: "data beyond the buffer", fatalErrorStatus: .dataTransferOutOfRange) {
      [.send(HostileTarget.data(dataIdentifier($0), offset: 0, content(65_536 + 4)))]
    },
    Trick(name: "data far beyond the buffer", fatalErrorStatus: .dataTransferOutOfRange) {
      [.send(HostileTarget.data(dataIdentifier($0), offset: 1 << 30, content(512)))]
    },
    Trick(name: "more data after all data", fatalErrorStatus: .dataTransferOutOfRange) {
      [.send($0 + HostileTarget.data(dataIdentifier($0), offset: 65_536, content(4)))]
    },
    Trick(name: "the same data twice", fatalErrorStatus: .dataTransferOutOfRange) {
      [
        .send(HostileTarget.data(dataIdentifier($0), offset: 0, content(512), isLast: false)),
        .send(HostileTarget.data(dataIdentifier($0), offset: 0, content(512), isLast: false)),
      ]
    },
    Trick(name: "data for an unknown command", fatalErrorStatus: .invalidPDUHeaderField) {
      [.send(HostileTarget.data(dataIdentifier($0) ^ 0x100, offset: 0, content(512)))]
    },
    Trick(name: "data after the response", index: 1, outcome: .success, fatalErrorStatus: .invalidPDUHeaderField) {
      [.send($0 + HostileTarget.data(responseIdentifier($0), offset: 0, content(512)))]
    },
    Trick(name: "the response twice", index: 1, outcome: .success, fatalErrorStatus: .invalidPDUHeaderField) {
      [.send($0 + $0)]
    },
    Trick(name: "success without data", outcome: .shortData, kind: nil) { _ in [] },
    Trick(name: "success with half of the data", outcome: .shortData, kind: nil) {
      [.send(HostileTarget.data(dataIdentifier($0), offset: 0, content(32_768)))]
    },
    Trick(name: "a header digest that was not agreed upon", fatalErrorStatus: .invalidPDUHeaderField) { pdu in
      var pdu = pdu
      pdu[1] |= 1
      return [.send(pdu)]
    },
    Trick(name: "an R2T for a read", fatalErrorStatus: .invalidPDUHeaderField) {
      [.send(HostileTarget.readyToTransfer(dataIdentifier($0), offset: 0, length: 512))]
    },
    Trick(name: "C2HTermReq", kind: .terminatedByController) { _ in
      [.send(HostileTarget.termination(.dataTransferOutOfRange))]
    },
    Trick(name: "ICReq in the middle", fatalErrorStatus: .invalidPDUHeaderField) { _ in
      [.send([0, 0, 128, 0, 128, 0, 0, 0] + content(120))]
    },
    Trick(name: "an R2T outside of the data", operation: .write, fatalErrorStatus: .dataTransferOutOfRange) {
      [.send(HostileTarget.readyToTransfer(dataIdentifier($0), offset: 0, length: 65_540))]
    },
    Trick(name: "an R2T with a gap", operation: .write, fatalErrorStatus: .dataTransferOutOfRange) {
      [.send(HostileTarget.readyToTransfer(dataIdentifier($0), offset: 4096, length: 512))]
    },
    Trick(name: "an R2T of nothing", operation: .write, fatalErrorStatus: .invalidPDUHeaderField) {
      [.send(HostileTarget.readyToTransfer(dataIdentifier($0), offset: 0, length: 0))]
    },
    Trick(name: "two R2Ts at once", operation: .write, fatalErrorStatus: .limitExceeded) {
      [
        .send(
          HostileTarget.readyToTransfer(dataIdentifier($0), offset: 0, length: 32_768)
            + HostileTarget.readyToTransfer(dataIdentifier($0), tag: 8, offset: 32_768, length: 32_768))
      ]
    },
    Trick(name: "data for a write", operation: .write, fatalErrorStatus: .invalidPDUHeaderField) {
      [.send(HostileTarget.data(dataIdentifier($0), offset: 0, content(512)))]
    },
    Trick(name: "success of a write whose data nobody asked for", operation: .write, outcome: .shortData, kind: nil) {
      [.send(HostileTarget.response(dataIdentifier($0)))]
    },
    // The command ends while its R2T waits to be sent: nothing else comes from the target that would wake the host.
    Trick(name: "an R2T, and an error with it", operation: .write, outcome: .deviceError, kind: nil) {
      [
        .send(
          HostileTarget.readyToTransfer(dataIdentifier($0), offset: 0, length: 65_536)
            + HostileTarget.response(dataIdentifier($0), status: .internalError))
      ]
    },
    // The data that the R2T asked for may come before the end: closing a socket with unread bytes resets the connection.
    Trick(name: "an R2T, then the end", operation: .write, kind: .closedByPeer, otherKind: .broken) {
      [.send(HostileTarget.readyToTransfer(dataIdentifier($0), offset: 0, length: 65_536)), .close]
    },
    Trick(name: "a reset", kind: .broken) { _ in [.reset] },
    Trick(name: "silence", kind: .commandTimedOut) { _ in [.silence] },
  ]

  /// Carries `operation` out with 64 KiB on a device of a target with this script.
  private func run(
    _ scene: HostileScene, operation: BlockOperation, script: @escaping HostileTarget.Script,
    ioMilliseconds: UInt32, directThreshold: Int? = nil
  ) async throws -> (outcome: BlockOutcome?, condition: ControllerCondition, record: HostileTarget.Record) {
    let target = try HostileTarget { connection, index, pdu in
      connection == 1 && index >= 2 ? script(connection, index - 2, pdu) : [.send(pdu)]
    }
    var options = TCPTransportOptions()
    if let directThreshold { options.directReceiveThresholdByteCount = directThreshold }
    let controller = scene.makeController(
      port: target.port, milliseconds: 20_000, ioMilliseconds: ioMilliseconds, options: options)
    controller.connect()
    try await controller.ready()
    let memory = GuardedBuffer(byteCount: 65_536)
    var outcome: BlockOutcome?
    do {
      let device = try #require(controller.blockDevices().first)
      do throws(BlockError) {
        switch operation {
        case .read: try await device.read(at: 0, into: memory.buffer)
        case .write: try await device.write(at: 0, from: UnsafeRawBufferPointer(memory.buffer))
        default: try await device.flush()
        }
        outcome = .success
      } catch {
        #expect(!error.description.isEmpty)
        if case .failed(let reason, _) = error.cause { outcome = reason }
      }
    }
    #expect(memory.isIntact)
    // A controller that has broken the rules is not spoken to any more: its end comes by itself, a good one's is asked
    // for.
    for _ in 0..<200 {
      if case .closed = controller.condition { break }
      try await Task.sleep(for: .milliseconds(5))
    }
    let condition = controller.condition
    await controller.disconnect()
    let record = await scene.stop(target)
    #expect(record.endedCount == record.acceptedCount, "a connection stayed open")
    return (outcome, condition, record)
  }

  @Test("breaks the rules", arguments: tricks, [nil, 4096] as [Int?])
  func breaksTheRules(trick: Trick, directThreshold: Int?) async throws {
    // Received by the ring the one time, by polling the other.
    let scene = try HostileScene(waitPolicy: directThreshold == nil ? .busyPolling : .eventDriven)
    let result = try await run(
      scene, operation: trick.operation,
      script: { _, index, pdu in index == trick.index ? trick.replacement(pdu) : [.send(pdu)] },
      ioMilliseconds: trick.kind == .commandTimedOut ? 100 : 30_000, directThreshold: directThreshold)
    #expect(result.outcome == trick.outcome)
    if let kind = trick.kind {
      guard case .closed(.transport(1, let reason)) = result.condition else {
        Issue.record("\(result.condition)")
        return
      }
      #expect(reason.kind == kind || reason.kind == trick.otherKind, "\(reason)")
    } else {
      #expect(result.condition == .ready)
    }
    #expect(result.record.terminations.map(\.fatalErrorStatus) == (trick.fatalErrorStatus.map { [$0] } ?? []))
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  /// A command is sent when the controller has given its reason and has gone, and neither has been looked at yet.
  @Test("what the controller said before it went is its reason, though a send fails first")
  func reasonBeforeTheEnd() async throws {
    let scene = try HostileScene(waitPolicy: .eventDriven)
    let target = try HostileTarget { connection, index, pdu in
      guard connection == 1 && index >= 2 else { return [.send(pdu)] }
      usleep(100_000)
      return [.send(HostileTarget.termination(.dataTransferOutOfRange)), .reset]
    }
    let controller = scene.makeController(port: target.port, milliseconds: 20_000)
    controller.connect()
    try await controller.ready()
    let device = try #require(controller.blockDevices().first)
    let memory = GuardedBuffer(byteCount: 65_536)
    nonisolated(unsafe) let buffer = memory.buffer
    nonisolated(unsafe) var channel: BlockChannel?
    let read = { @Sendable (token: UInt64) in
      let result = channel?.submit(
        BlockRequest(
          .read, blockCount: UInt32(buffer.count) / device.geometry.blockByteCount, buffer: buffer, token: token))
      if case .accepted? = result { return }
      Issue.record("not accepted: \(String(describing: result))")
    }
    try await scene.thread.handle.perform { reactor in
      channel = try? device.openChannel(on: reactor, queueDepth: 4)
      read(1)
    }
    try await scene.thread.handle.perform { _ in
      // The reactor looks at nothing while the answer comes.
      usleep(400_000)
      read(2)
    }
    for _ in 0..<1000 {
      if case .closed = controller.condition { break }
      try await Task.sleep(for: .milliseconds(5))
    }
    if case .closed(.transport(1, let reason)) = controller.condition {
      #expect(reason.kind == .terminatedByController, "\(reason)")
    } else {
      Issue.record("\(controller.condition)")
    }
    try await scene.thread.handle.perform { _ in
      channel?.close()
      channel = nil
    }
    await controller.disconnect()
    _ = await scene.stop(target)
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  struct Place: Sendable {
    var operation: BlockOperation
    var index: Int
    var cut: Int
    var closes: Bool
  }

  @Test("stops in the middle of every PDU: closes, or falls silent", arguments: [WaitPolicy.busyPolling, .eventDriven])
  func stops(waitPolicy: WaitPolicy) async throws {
    let scene = try HostileScene(waitPolicy: waitPolicy)
    var places: [Place] = []
    for closes in [true, false] {
      for (operation, index, count) in [
        (BlockOperation.read, 0, 65_560), (.read, 1, 24), (.write, 0, 24), (.write, 1, 24), (.flush, 0, 24),
      ] {
        for cut in 0..<24 { places.append(Place(operation: operation, index: index, cut: cut, closes: closes)) }
        if count > 24 {
          for cut in [24, 25, 4096, 20_000, count - 1] {
            places.append(Place(operation: operation, index: index, cut: cut, closes: closes))
          }
        }
      }
    }
    try await HostileScene.forEach(places) { place in
      let result = try await run(
        scene, operation: place.operation,
        script: { _, index, pdu in
          guard index == place.index else { return [.send(pdu)] }
          return [.send(Array(pdu.prefix(place.cut))), place.closes ? .close : .silence]
        }, ioMilliseconds: place.closes ? 30_000 : 200)
      #expect(result.outcome == .connectionLost, "\(place)")
      guard case .closed(.transport(1, let reason)) = result.condition else {
        Issue.record("\(place): \(result.condition)")
        return
      }
      let expected: [TransportError.Kind] = place.closes ? [.closedByPeer, .broken] : [.commandTimedOut]
      #expect(expected.contains(reason.kind), "\(place)")
    }
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  @Test("changes every byte of every header")
  func changedBytes() async throws {
    let scene = try HostileScene()
    var places: [Place] = []
    for (operation, index) in [(BlockOperation.read, 0), (.read, 1), (.write, 0), (.write, 1)] {
      for cut in 0..<24 { places.append(Place(operation: operation, index: index, cut: cut, closes: false)) }
    }
    try await HostileScene.forEach(places) { place in
      let result = try await run(
        scene, operation: place.operation,
        script: { _, index, pdu in
          guard index == place.index else { return [.send(pdu)] }
          var changed = pdu
          changed[place.cut] ^= 0x81
          return [.send(changed)]
        }, ioMilliseconds: 300)
      #expect(result.outcome != nil, "\(place)")
    }
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  @Test(
    "many requests outstanding when the connection goes: each ends once",
    arguments: [true, false], WaitPolicy.allCases)
  func manyOutstanding(resets: Bool, waitPolicy: WaitPolicy) async throws {
    let scene = try HostileScene(waitPolicy: waitPolicy)
    let target = try HostileTarget { connection, index, pdu in
      connection == 1 && index == 40 ? [resets ? .reset : .close] : [.send(pdu)]
    }
    let controller = scene.makeController(port: target.port, milliseconds: 20_000)
    controller.connect()
    try await controller.ready()
    do {
      let device = try #require(controller.blockDevices().first)
      let outcomes = await withTaskGroup(of: BlockOutcome?.self) { group in
        for index in 0..<500 as Range<UInt64> {
          group.addTask {
            let memory = GuardedBuffer(byteCount: 8192)
            defer { if !memory.isIntact { Issue.record("written beside the buffer") } }
            do throws(BlockError) {
              try await device.read(at: index, into: memory.buffer)
              return .success
            } catch {
              if case .failed(let outcome, _) = error.cause { return outcome }
              return nil
            }
          }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.count == 500)
      #expect(outcomes.allSatisfy { [.success, .connectionLost, .notSent].contains($0) })
      #expect(outcomes.contains(.success) && outcomes.contains(.connectionLost) && outcomes.contains(.notSent))
    }
    await controller.disconnect()
    #expect(await scene.stop(target).endedCount == 2)
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  @Test("a keep alive that is not answered is a lost controller")
  func keepAlive() async throws {
    let scene = try HostileScene()
    let isSilent = Flag()
    let target = try HostileTarget { connection, _, pdu in
      connection == 0 && isSilent.value ? [.silence] : [.send(pdu)]
    }
    let controller = scene.makeController(port: target.port, milliseconds: 20_000, keepAliveMilliseconds: 1000)
    controller.connect()
    try await controller.ready()
    isSilent.value = true
    for _ in 0..<2000 {
      if case .closed = controller.condition { break }
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(controller.condition == .closed(.keepAliveTimeout(milliseconds: 1000)))
    #expect(await scene.stop(target).endedCount == 2)
    #expect(try await scene.isEmpty())
    scene.thread.stop()
  }

  @Test("a program that does not turn its reactor for longer than the time-out loses nothing")
  func pause() throws {
    let target = try HostileTarget()
    let reactor = try Reactor()
    var configuration = ControllerConfiguration(
      subsystemNQN: "nqn.2026-11.io.swift-nvmeof:hostile", hostNQN: "nqn.2026-11.io.swift-nvmeof:host",
      hostIdentifier: Identifier128(high: 1, low: 2))
    configuration.ioTimeoutMilliseconds = 700
    configuration.keepAliveTimeoutMilliseconds = 0
    let controller = Controller(
      transport: TCPTransport(host: "127.0.0.1", port: target.port), configuration: configuration, home: reactor.handle)
    let deadline = MonotonicClock.nanoseconds() + 60_000_000_000
    controller.connect()
    #expect(reactor.turn(untilNanoseconds: deadline) { controller.condition != .ready })
    do {
      let device = try #require(controller.blockDevices().first)
      let channel = try device.openChannel(on: reactor, queueDepth: 4)
      let completions = UnsafeMutableBufferPointer<BlockCompletion>.allocate(capacity: 4)
      defer { completions.deallocate() }
      for _ in 0..<2 {
        #expect(channel.submit(BlockRequest(.flush)) == .accepted)
        #expect(reactor.turn(untilNanoseconds: deadline) { !channel.hasCompletions })
        #expect(channel.poll(into: completions) == 1 && completions[0].isSuccess)
        // Longer than the time-out and the interval in which it is looked at.
        Pause.milliseconds(1500)
      }
      channel.close()
    }
    controller.shutdown()
    #expect(reactor.turn(untilNanoseconds: deadline) { if case .closed = controller.condition { false } else { true } })
    reactor.turn(.none)
    #expect(reactor.sourceCount == 0)
    #expect(target.stop().endedCount == 2)
  }

  @Test("what is refused for want of a connection can be polled, and is not slept upon")
  func submitAfterTheEnd() throws {
    let target = try HostileTarget()
    let reactor = try Reactor()
    let configuration = ControllerConfiguration(
      subsystemNQN: "nqn.2026-11.io.swift-nvmeof:hostile", hostNQN: "nqn.2026-11.io.swift-nvmeof:host",
      hostIdentifier: Identifier128(high: 1, low: 2))
    let controller = Controller(
      transport: TCPTransport(host: "127.0.0.1", port: target.port), configuration: configuration, home: reactor.handle)
    let deadline = MonotonicClock.nanoseconds() + 60_000_000_000
    controller.connect()
    #expect(reactor.turn(untilNanoseconds: deadline) { controller.condition != .ready })
    let device = try #require(controller.blockDevices().first)
    let channel = try device.openChannel(on: reactor, queueDepth: 4)
    controller.shutdown()
    #expect(reactor.turn(untilNanoseconds: deadline) { if case .closed = controller.condition { false } else { true } })
    let completions = UnsafeMutableBufferPointer<BlockCompletion>.allocate(capacity: 4)
    defer { completions.deallocate() }
    #expect(channel.submit(BlockRequest(.flush)) == .accepted)
    // A turn that finds nothing to do has slept; one that waits for ever would not have come back.
    #expect(reactor.turn(.atMost(nanoseconds: 200_000_000)) > 0)
    #expect(channel.poll(into: completions) == 1 && completions[0].outcome == .notSent)
    channel.close()
    reactor.turn(.none)
    _ = target.stop()
  }
}
