import Glibc
import NBDProtocol
import NBDServer
import RingReactor
import TestSupport
import Testing

/// How clients and servers take their leave of each other.
@Suite(.serialized) struct EndTests {
  enum Wire: CaseIterable { case unix, tcp, tls }

  private func scene(
    _ wire: Wire = .unix, configure: (inout NBDServerConfiguration) -> Void = { _ in }
  ) async throws -> ServerTests.Scene {
    try await ServerTests.Scene(
      tcp: wire == .tcp, security: wire == .tls ? .required(TLSServerTests.context()) : .none, configure: configure)
  }

  private func client(_ address: SocketAddress, _ wire: Wire = .unix) throws -> TestClient {
    let client = try TestClient(address)
    if wire == .tls { try client.startTLS(TLSServerTests.clientContext()) }
    try client.go("disk")
    return client
  }

  /// "All outstanding requests MUST be handled", also those of a client that has ended its own side of the connection.
  @Test(arguments: Wire.allCases) func halfClosedClientsGetTheirAnswers(_ wire: Wire) async throws {
    let scene = try await scene(wire)
    let device = try scene.memory()
    try scene.add(device)
    let data = pattern(2 << 20, seed: 1)
    let writer = try client(scene.address, wire)
    try writer.write(at: 0, data)
    for (count, byteCount) in [(100, 4096), (1, 2 << 20), (8, 1 << 18)] {
      let client = try client(scene.address, wire)
      for index in 0..<count { try client.request(.read, offset: UInt64(index * byteCount), length: byteCount) }
      try client.request(.disconnect)
      #expect(shutdown(client.descriptor, Int32(SHUT_WR)) == 0)
      try await Task.sleep(for: .milliseconds(50))
      for index in 0..<count {
        #expect(try client.reply()?.data == Array(data[(index * byteCount)...].prefix(byteCount)))
      }
      #expect(try client.reply() == nil)
    }
    writer.hangUp()
    #expect(try await scene.end() == 0)
  }

  /// The time that a client has to fetch its answers begins when there are some.
  @Test func goodbyeWhileTheDeviceTakesItsTime() async throws {
    let scene = try await scene { configuration in
      configuration.drainTimeoutMilliseconds = 50
      configuration.transmission.requestLimit = 4
    }
    let device = HeldDevice(reactor: scene.reactor)
    try scene.add(device)
    let client = try client(scene.address)
    let cookies = try (0..<4).map { try client.request(.read, offset: UInt64($0) * 512, length: 512) }
    try client.request(.disconnect)
    try await eventually { device.heldCount == 4 }
    try await Task.sleep(for: .milliseconds(300))
    try await device.release()
    #expect(try Set((0..<4).map { _ in try client.reply()?.cookie }) == Set(cookies))
    #expect(try client.reply() == nil)
    #expect(try await scene.end() == 0)
  }

  /// Memory that others have is waited for as the device is, and what the client asked for is carried out.
  @Test func goodbyeWhileOthersHaveTheMemory() async throws {
    var budget = NBDBudgetConfiguration()
    budget.memoryByteCount = 1 << 20
    let scene = try await ServerTests.Scene(budget: budget) { $0.drainTimeoutMilliseconds = 2000 }
    let device = HeldDevice(reactor: scene.reactor)
    try scene.add(device)
    let first = try client(scene.address)
    try first.request(.read, length: 1 << 20)
    try await eventually { device.heldCount == 1 }
    let leaver = try client(scene.address)
    try leaver.request(.read, length: 1 << 20)
    try leaver.request(.disconnect)
    // Long enough to be cut off; it is not.
    #expect(!leaver.hasInput(within: 3000))
    try await device.release()
    #expect(try first.reply()?.data.count == 1 << 20)
    try await eventually { device.heldCount == 1 }
    try await device.release()
    #expect(try leaver.reply()?.data.count == 1 << 20)
    #expect(try leaver.reply() == nil)
    first.hangUp()
    #expect(try await scene.end() == 0)
  }

  /// One that takes its leave and waits for memory looks for those that keep it for nothing, too.
  @Test func goodbyeWhileTheIdleHaveTheMemory() async throws {
    var budget = NBDBudgetConfiguration()
    budget.memoryByteCount = 1 << 20
    let scene = try await ServerTests.Scene(budget: budget) {
      $0.drainTimeoutMilliseconds = 2000
      $0.borrowingTimeoutMilliseconds = 200
    }
    try scene.add(scene.memory())
    let idle = try client(scene.address)
    try idle.request(.write, length: 1 << 20)
    try await eventually { try await scene.server.budget.lentByteCount() == 1 << 20 }
    let leaver = try client(scene.address)
    try leaver.request(.read, length: 1 << 20)
    try leaver.request(.disconnect)
    #expect(try leaver.reply()?.data.count == 1 << 20)
    #expect(try leaver.reply() == nil)
    #expect(try idle.receive(1) == nil)
    #expect(try await scene.end() == 0)
  }

  /// Reads that wait for others' answers to be fetched are carried out, as long as some are.
  @Test func goodbyeWhileReadsWait() async throws {
    let scene = try await scene { $0.drainTimeoutMilliseconds = 3000 }
    try scene.add(scene.memory())
    let client = try client(scene.address)
    for _ in 0..<16 { try client.request(.read, length: 1 << 20) }
    try client.request(.disconnect)
    // All together longer than the time for one.
    for _ in 0..<16 {
      try await Task.sleep(for: .milliseconds(200))
      #expect(try client.reply()?.data.count == 1 << 20)
    }
    #expect(try client.reply() == nil)
    #expect(try await scene.end() == 0)
  }

  /// One large answer is fetched all the time, however long that takes.
  @Test func goodbyeOfTheSlow() async throws {
    let scene = try await scene { $0.drainTimeoutMilliseconds = 3000 }
    try scene.add(scene.memory())
    let client = try client(scene.address)
    let byteCount = 16 << 20
    try client.request(.read, length: byteCount)
    try client.request(.disconnect)
    // Longer than the time for a part of it.
    for _ in 0..<256 {
      try await Task.sleep(for: .milliseconds(20))
      #expect(try client.receive(byteCount / 256) != nil)
    }
    // The header.
    #expect(try client.receive(28) != nil)
    #expect(try client.receive(1) == nil)
    #expect(try await scene.end() == 0)
  }

  /// What a client asks for while the server takes its leave costs it no answer to what it has asked for before.
  @Test(arguments: Wire.allCases) func requestsAtTheEnd(_ wire: Wire) async throws {
    let scene = try await scene(wire)
    try scene.add(scene.memory())
    let client = try client(scene.address, wire)
    let data = pattern(1 << 20, seed: 2)
    try client.write(at: 0, data)
    for _ in 0..<2 { try client.request(.read, length: data.count) }
    try await Task.sleep(for: .milliseconds(100))
    async let left = scene.end()
    for _ in 0..<8 {
      try await Task.sleep(for: .milliseconds(25))
      // It may be too late for some of them.
      _ = try? client.request(.read, length: data.count)
    }
    var answers: [[UInt8]] = []
    while let reply = try client.reply() {
      if reply.error == 0 { answers.append(reply.data) } else { #expect(reply.error == 108) }
    }
    #expect(answers == [data, data])
    client.hangUp()
    #expect(try await left == 0)
  }

  /// Clients that go with answers unfetched: nothing of them stays.
  @Test(arguments: Wire.allCases) func clientsThatFetchNothingAndGo(_ wire: Wire) async throws {
    let scene = try await scene(wire) { $0.transmission.requestLimit = 8 }
    try scene.add(scene.memory())
    let client = try client(scene.address, wire)
    for _ in 0..<64 { try client.request(.read, length: 64 << 10) }
    try await Task.sleep(for: .milliseconds(100))
    client.hangUp()
    try await eventually { scene.server.connectionCount == 0 }
    #expect(try await scene.end() == 0)
  }

  /// A request and close_notify in one piece: the end is noticed without the socket's own.
  @Test(arguments: [WaitPolicy.adaptive, .eventDriven, .busyPolling])
  func closeNotifyBehindARequest(_ policy: WaitPolicy) async throws {
    let scene = try await ServerTests.Scene(policy: policy, security: .required(TLSServerTests.context()))
    try scene.add(scene.memory())
    let client = try client(scene.address, .tls)
    try client.sendLast(TestClient.header(.read, [], 7, 0, 4096))
    try await eventually { scene.server.connectionCount == 0 }
    client.hangUp()
    #expect(try await scene.end() == 0)
  }

  /// Whoever begins to listen when the server stops does not.
  @Test func listeningBehindTheEnd() async throws {
    let scene = try await scene()
    let server = scene.server
    await server.stop()
    let address = try #require(SocketAddress(numericHost: "127.0.0.1", port: 0))
    await #expect(throws: RingError.self) { try await server.listen(on: address) }
    #expect(server.addresses.isEmpty)
    #expect(try await scene.end() == 0)
  }

  /// But a client that fetches nothing is not waited for.
  @Test(arguments: Wire.allCases) func goodbyeOfTheDeaf(_ wire: Wire) async throws {
    let scene = try await scene(wire) { $0.drainTimeoutMilliseconds = 50 }
    try scene.add(scene.memory())
    let client = try client(scene.address, wire)
    // In one piece: requests stay in the socket while answers do.
    func request(_ command: NBDCommand, _ length: UInt32) -> [UInt8] {
      bytes(NBDMagic.request) + bytes(0 as UInt16) + bytes(command.rawValue) + bytes(1 as UInt64) + bytes(0 as UInt64)
        + bytes(length)
    }
    try client.send((0..<16).flatMap { _ in request(.read, 1 << 20) } + request(.disconnect, 0))
    try await eventually { scene.server.connectionCount == 0 }
    client.hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func stopWhileTheDeviceTakesItsTime() async throws {
    let scene = try await scene { $0.drainTimeoutMilliseconds = 50 }
    let device = HeldDevice(reactor: scene.reactor)
    try scene.add(device)
    let client = try client(scene.address)
    try client.request(.read, length: 512)
    try await eventually { device.heldCount == 1 }
    async let left = scene.end()
    try await Task.sleep(for: .milliseconds(300))
    try await device.release()
    #expect(try client.reply()?.error == 0)
    #expect(try client.reply() == nil)
    #expect(try await left == 0)
  }

  /// A device that takes too long: its requests are answered without it, and their memory is kept until it is done.
  @Test(arguments: Wire.allCases, [false, true])
  func stopWithoutTheDevice(_ wire: Wire, _ hasSaidGoodbye: Bool) async throws {
    let scene = try await scene(wire) { configuration in
      configuration.endTimeoutMilliseconds = 50
      // Half of them have to wait for the others.
      configuration.transmission.memoryLimitByteCount = 1 << 20
    }
    let device = HeldDevice(reactor: scene.reactor)
    try scene.add(device)
    let client = try client(scene.address, wire)
    let cookies = try (0..<8).map { try client.request(.read, offset: UInt64($0) << 18, length: 1 << 18) }
    if hasSaidGoodbye { try client.request(.disconnect) }
    try await eventually { device.heldCount == 4 }
    // Those that wait have come, too.
    try await Task.sleep(for: .milliseconds(100))
    async let left = scene.end()
    // ESHUTDOWN
    let replies = try (0..<8).map { _ in try client.reply() }
    #expect(replies.allSatisfy { $0?.error == 108 })
    #expect(Set(replies.map { $0?.cookie }) == Set(cookies))
    #expect(try client.reply() == nil)
    #expect(device.heldCount == 4)
    try await device.release()
    #expect(try await left == 0)
  }

  /// The device is done with some of them while nobody fetches the answers.
  @Test func stopWithoutTheDeviceAndTheClient() async throws {
    let scene = try await scene { configuration in
      configuration.endTimeoutMilliseconds = 50
      configuration.drainTimeoutMilliseconds = 50
    }
    let device = HeldDevice(reactor: scene.reactor)
    try scene.add(device)
    let client = try client(scene.address)
    let block = [UInt8](repeating: 1, count: 512)
    for index in 0..<64 { try client.request(.write, offset: UInt64(index) << 12, length: 512, payload: block) }
    try await eventually { device.heldCount == 64 }
    async let left = scene.end()
    try await Task.sleep(for: .milliseconds(200))
    try await device.release()
    #expect(try await left == 0)
    client.hangUp()
  }
}
