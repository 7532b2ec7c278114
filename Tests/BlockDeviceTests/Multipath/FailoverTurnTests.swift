import BlockDevice
import EmbeddedTarget
import Foundation
import TestSupport
import Testing

/// How soon what was lost with a path is on its way again, counted in turns of the reactor, which this drives itself.
@Suite(.timeLimit(.minutes(2)))
struct FailoverTurnTests {
  private static let depth = 128
  private static let nqn = "nqn.2026-11.io.swift-nvmeof:turns"

  private struct Turns: Sendable {
    /// The turn in which the path was found lost.
    var loss = 0
    /// The turns in which the first and the last request were sent again.
    var firstResubmission = 0
    var lastResubmission = 0
    var submittedOnOtherPath = 0
    var wrongRequests: [Int] = []
    var statistics = MultipathStatistics()
  }

  struct Stuck: Error {}

  @Test func `128 reads in flight are sent again in the turn in which their path reports them lost`() async throws {
    let target = try await EmbeddedTarget.start()
    try await target.addSubsystem(SubsystemConfiguration(nqn: Self.nqn, namespace: .memory(byteCount: 1 << 20)))
    let content = pattern(Self.depth * 512, seed: 128)
    try await target.writeNamespace(1, of: Self.nqn, offset: 0, bytes: content)
    let ports = [try await target.addPort(), try await target.addPort()]
    // What goes the first way stays in flight.
    var rule = FaultRule(.ioCommand(opcode: IOOpcode.read.rawValue), .neverAnswer)
    rule.portIdentifier = ports[0].identifier
    let fault = try await target.addFault(rule)

    async let host = onThread { try Self.run(ports.map(\.port), expecting: content) }
    try await eventually { try await target.faultCount(fault) >= UInt64(Self.depth) }
    try await target.removePort(ports[0].identifier)
    let turns = try await host
    await target.stop()

    #expect(turns.loss > 0 && turns.loss == turns.firstResubmission && turns.loss == turns.lastResubmission, "\(turns)")
    #expect(turns.submittedOnOtherPath == Self.depth)
    #expect(turns.wrongRequests.isEmpty)
    #expect(turns.statistics.pathLossCount == 1 && turns.statistics.failureCount == 0)
    #expect(turns.statistics.holdCount == 0 && turns.statistics.retryCount == 0)
  }

  private static func run(_ ports: [UInt16], expecting content: [UInt8]) throws -> Turns {
    let reactor = try Reactor()
    var number = 0
    func turns(while condition: () -> Bool, _ afterEach: () -> Void = {}) throws {
      // None of this takes a thousandth as many.
      let end = number + 200_000
      while condition() {
        guard number < end else { throw Stuck() }
        reactor.turn(.atMost(nanoseconds: 1_000_000))
        number += 1
        afterEach()
      }
    }
    var configuration = ControllerConfiguration(
      subsystemNQN: nqn, hostNQN: TestBed.hostNQN, hostIdentifier: Identifier128(high: 0x7f2d, low: 0x5ac2))
    configuration.queueDepth = depth
    // None of it is waited for here.
    configuration.recovery = try RecoveryTimers(
      reconnectDelayMilliseconds: 60_000, controllerLossTimeoutMilliseconds: -1)
    let device = MultipathBlockDevice(subsystemNQN: nqn, namespaceIdentifier: 1, reactor: reactor.handle)
    let controllers = ports.map {
      Controller(
        transport: TCPTransport(host: "127.0.0.1", port: $0), configuration: configuration, home: reactor.handle)
    }
    for controller in controllers {
      controller.connect()
      try turns { controller.snapshot.state != .enabled }
      try device.addPath(controller)
    }
    let channel = try device.openChannel(on: reactor, queueDepth: depth)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: depth * 512, alignment: 4096)
    let completions = UnsafeMutableBufferPointer<BlockCompletion>.allocate(capacity: depth)
    defer {
      memory.deallocate()
      completions.deallocate()
    }
    for index in 0..<depth {
      let answer = channel.submit(
        BlockRequest(
          .read, logicalBlockAddress: UInt64(index), blockCount: 1,
          buffer: UnsafeMutableRawBufferPointer(rebasing: memory[index * 512..<(index + 1) * 512]),
          token: UInt64(index)))
      guard answer == .accepted else { throw Stuck() }
    }
    var result = Turns()
    try turns {
      device.snapshot.statistics.failoverCount < UInt64(depth)
    } _: {
      let statistics = device.snapshot.statistics
      let failoverCount = statistics.failoverCount
      if result.loss == 0, statistics.pathLossCount > 0 { result.loss = number }
      if result.firstResubmission == 0, failoverCount > 0 { result.firstResubmission = number }
      result.submittedOnOtherPath = Int(failoverCount)
      result.lastResubmission = number
    }
    var done = Set<Int>()
    try turns {
      done.count < depth
    } _: {
      let count = channel.poll(into: completions)
      for completion in completions.prefix(count) {
        if !completion.isSuccess || !done.insert(Int(completion.token)).inserted {
          result.wrongRequests.append(Int(completion.token))
        }
      }
    }
    for index in 0..<depth
    where !memory[index * 512..<(index + 1) * 512].elementsEqual(content[index * 512..<(index + 1) * 512]) {
      result.wrongRequests.append(index)
    }
    result.statistics = device.snapshot.statistics
    channel.close()
    for controller in controllers { controller.shutdown() }
    try turns {
      !controllers.allSatisfy { if case .closed = $0.condition { true } else { false } }
    }
    return result
  }
}
