import BlockDevice
import BlockExport
import Glibc
import Logging
import NBDProtocol
import NBDServer
import Synchronization
import TestSupport
import Testing

/// The server with clients on sockets.
@Suite(.serialized) struct ServerTests {
  /// A server with one export, on reactors of its own.
  final class Scene {
    let threads: [ReactorThread]
    let table = ExportTable()
    let server: NBDServer
    let address: SocketAddress

    init(
      reactorCount: Int = 1, policy: WaitPolicy = .adaptive, tcp: Bool = false, security: NBDServerSecurity = .none,
      logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      budget: NBDBudgetConfiguration = NBDBudgetConfiguration(),
      configure: (inout NBDServerConfiguration) -> Void = { _ in }
    ) async throws {
      threads = try (0..<reactorCount).map { _ in try ReactorThread(waitPolicy: policy) }
      var configuration = NBDServerConfiguration()
      // Where nothing is said of times, a slow machine is not to matter.
      configuration.drainTimeoutMilliseconds = 60_000
      configuration.endTimeoutMilliseconds = 60_000
      configure(&configuration)
      server = NBDServer(
        exports: table, budget: NBDBudget(reactors: threads.map(\.handle), configuration: budget),
        configuration: configuration, security: security, logger: logger)
      let path = "/tmp/swift-nvmeof-nbd-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
      let wanted = tcp ? SocketAddress(numericHost: "127.0.0.1", port: 0) : SocketAddress(unixPath: path)
      address = try await server.listen(on: wanted!)
    }

    var reactor: ReactorHandle { threads[0].handle }

    @discardableResult
    func add(
      _ device: any BlockDevice, _ name: String = "disk", isReadOnly: Bool = false
    ) throws -> Export {
      var configuration = ExportConfiguration(name: name)
      configuration.isReadOnly = isReadOnly
      let export = try Export(device: device, configuration: configuration)
      try table.add(export)
      return export
    }

    func memory(_ blockCount: UInt64 = 1 << 15, blockByteCount: UInt32 = 512) throws -> MemoryBlockDevice {
      try MemoryBlockDevice(blockByteCount: blockByteCount, blockCount: blockCount, reactor: reactor)
    }

    /// Ends all of it. Returns the sources left on the reactors; 0 is right.
    func end() async throws -> Int {
      await server.stop()
      #expect(server.connectionCount == 0)
      if let path = address.unixPath { #expect(access(path, F_OK) != 0) }
      var count = 0
      for thread in threads { count += try await thread.handle.perform { $0.sourceCount } }
      for thread in threads { thread.stop() }
      return count
    }
  }

  @Test(arguments: [WaitPolicy.adaptive, .eventDriven, .busyPolling], [false, true])
  func readsAndWrites(_ policy: WaitPolicy, _ tcp: Bool) async throws {
    let scene = try await Scene(policy: policy, tcp: tcp)
    try scene.add(scene.memory())
    for structured in [false, true] {
      let client = try TestClient(scene.address)
      try client.go("disk", structured: structured)
      #expect(client.size == 1 << 24)
      // Around the sizes from which payload is received in place.
      try client.writeAndRead([512, 4096, 16_384, 65_536, 1 << 18, 512, 1 << 18, 1 << 18, 4096])
      try client.request(.disconnect)
      #expect(try client.reply() == nil)
    }
    #expect(try await scene.end() == 0)
  }

  @Test func manyRequestsAtOnce() async throws {
    let scene = try await Scene { $0.transmission.requestLimit = 8 }
    try scene.add(scene.memory())
    let client = try TestClient(scene.address)
    try client.go()
    // More than its limits, and more than the buffer for input holds; nobody reads the answers meanwhile.
    let data = pattern(4096, seed: 3)
    for index in 0..<64 { try client.request(.write, offset: UInt64(index) * 4096, length: 4096, payload: data) }
    for _ in 0..<64 { #expect(try client.reply()?.error == 0) }
    for index in 0..<64 { try client.request(.read, offset: UInt64(index) * 4096, length: 4096) }
    for _ in 0..<64 { #expect(try client.reply()?.data == data) }
    client.hangUp()
    #expect(try await scene.end() == 0)
  }

  /// A client that sends all of its next request before it fetches an answer, by calls that block.
  @Test(arguments: [WaitPolicy.adaptive, .eventDriven, .busyPolling], EndTests.Wire.allCases)
  func answersAreFetchedBehindTheNextRequest(_ policy: WaitPolicy, _ wire: EndTests.Wire) async throws {
    let scene = try await Scene(
      policy: policy, tcp: wire == .tcp, security: wire == .tls ? .required(TLSServerTests.context()) : .none)
    try scene.add(scene.memory())
    let client = try TestClient(scene.address)
    if wire == .tls { try client.startTLS(TLSServerTests.clientContext()) }
    try client.go()
    let data = pattern(8 << 20, seed: 5)
    for offset in [0, 8 << 20] as [UInt64] {
      try client.request(.read, offset: offset, length: data.count)
      try await Task.sleep(for: .milliseconds(50))
      try client.request(.write, offset: offset, length: data.count, payload: data)
      for _ in 0..<2 { #expect(try client.reply()?.error == 0) }
    }
    #expect(try client.read(at: 0, data.count) == data)
    client.hangUp()
    #expect(try await scene.end() == 0)
  }

  /// An export whose place another one has taken by the time that it is opened.
  @Test func exportsThatAreReplaced() async throws {
    let scene = try await Scene()
    let devices = [try scene.memory(), try scene.memory(1 << 12, blockByteCount: 4096)]
    try scene.add(devices[0])
    final class Flag: Sendable { let isSet = Atomic(false) }
    let (table, end) = (scene.table, Flag())
    let replacing = TestThread {
      var turn = 0
      while !end.isSet.load(ordering: .relaxed) {
        turn += 1
        table.remove(name: "disk")
        let configuration = ExportConfiguration(name: "disk")
        if let export = try? Export(device: devices[turn % 2], configuration: configuration) { try? table.add(export) }
      }
    }
    for _ in 0..<400 {
      let client = try TestClient(scene.address)
      // There may be none for a moment.
      _ = try? client.go("disk")
      client.hangUp()
    }
    end.isSet.store(true, ordering: .relaxed)
    replacing.join()
    #expect(try await scene.end() == 0)
  }

  /// A client that comes back without a name, when the default export has gone, must not find another disk.
  @Test func theDefaultExportIsNoOther() async throws {
    let scene = try await Scene()
    try scene.add(scene.memory(1 << 10), "first")
    try scene.add(scene.memory(1 << 11), "second")
    func client() throws -> TestClient {
      let client = try TestClient(scene.address)
      try client.go()
      return client
    }
    #expect(try client().size == 1 << 19)
    scene.table.remove(name: "first")
    #expect(throws: TestClient.Failure.self) { try client() }
    try scene.add(scene.memory(1 << 9), "first")
    #expect(try client().size == 1 << 18)
    #expect(try await scene.end() == 0)
  }

  /// Requests stay in the socket while the client's answers do: nothing may be left waiting once they are fetched.
  @Test(arguments: [WaitPolicy.adaptive, .eventDriven, .busyPolling], [false, true])
  func answersAreFetchedLate(_ policy: WaitPolicy, _ tcp: Bool) async throws {
    let scene = try await Scene(policy: policy, tcp: tcp)
    try scene.add(scene.memory())
    let client = try TestClient(scene.address)
    try client.go()
    let data = pattern(1 << 16, seed: 4)
    try client.write(at: 0, data)
    // The last time with large answers, for which the socket gets another buffer.
    for (round, byteCount) in [4096, 4096, 512, 1 << 16].enumerated() {
      for index in 0..<300 {
        try client.request(.read, length: byteCount)
        // In pieces, so that some of it comes while answers wait.
        if index % 50 == 0 { try await Task.sleep(for: .milliseconds(round)) }
      }
      for _ in 0..<300 { #expect(try client.reply()?.data == Array(data[..<byteCount])) }
    }
    // Half a request comes while answers wait: it brings no answer whose sending would have the rest looked for.
    for round in 0..<4 {
      for _ in 0..<128 { try client.request(.read, length: 1 << 16) }
      try await Task.sleep(for: .milliseconds(5))
      let request =
        bytes(NBDMagic.request) + bytes(UInt16(0)) + bytes(NBDCommand.read.rawValue) + [UInt8](repeating: 0, count: 16)
        + bytes(UInt32(4096))
      try client.send(Array(request[..<(4 + round * 6)]))
      try await Task.sleep(for: .milliseconds(5))
      for _ in 0..<128 { #expect(try client.reply()?.data == data) }
      try client.send(Array(request[(4 + round * 6)...]))
      #expect(try client.reply()?.data == Array(data[..<4096]))
    }
    try client.request(.disconnect)
    #expect(try client.reply() == nil)
    #expect(try await scene.end() == 0)
  }

  @Test func clientsShareADevice() async throws {
    let scene = try await Scene(reactorCount: 2)
    try scene.add(scene.memory())
    let clients = try (0..<4).map { _ in
      let client = try TestClient(scene.address)
      try client.go()
      return client
    }
    #expect(scene.table["disk"]?.clients.count == 4)
    #expect(scene.table["disk"]?.clients.allSatisfy { $0.peer == "process \(getpid())" } == true)
    for (index, client) in clients.enumerated() {
      let data = pattern(8192, seed: UInt64(index))
      try client.write(at: 0, data)
      try client.request(.flush)
      #expect(try client.reply()?.error == 0)
      for other in clients { #expect(try other.read(at: 0, 8192) == data) }
    }
    for client in clients { client.hangUp() }
    #expect(try await scene.end() == 0)
  }

  @Test func aClientThatVanishesInMidRequest() async throws {
    let scene = try await Scene()
    let device = HeldDevice(reactor: scene.reactor)
    let export = try scene.add(device)
    let client = try TestClient(scene.address)
    try client.go()
    try client.request(.write, offset: 0, length: 65_536, payload: pattern(65_536, seed: 1))
    try client.request(.read, offset: 0, length: 65_536)
    // Half a payload, too.
    try client.request(.write, offset: 0, length: 65_536, payload: pattern(100, seed: 1))
    try await eventually { device.heldCount == 2 }
    client.hangUp()
    let other = try TestClient(scene.address)
    try other.go()
    #expect(export.clients.count == 2)
    // The device still has the memory of two requests, and writes to it.
    try await device.release()
    try await eventually { export.clients.count == 1 }
    other.hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func aDeviceThatFails() async throws {
    let scene = try await Scene()
    let device = HeldDevice(reactor: scene.reactor)
    try scene.add(device)
    let client = try TestClient(scene.address)
    try client.go()
    for (outcome, error) in [
      (BlockOutcome.deviceError, NBDError.inputOutput), (.connectionLost, .inputOutput), (.notSent, .inputOutput),
      (.dataDigestError, .inputOutput), (.success, nil),
    ] as [(BlockOutcome, NBDError?)] {
      try client.request(.read, length: 512)
      try await eventually { device.heldCount == 1 }
      try await device.release(outcome)
      #expect(try client.reply()?.error == error?.rawValue ?? 0)
    }
    client.hangUp()
    #expect(try await scene.end() == 0)
  }

  /// With FUA a trim is persistent before it is answered, which takes a flush; one that fails is answered at once.
  @Test func trimWithForceUnitAccess() async throws {
    let scene = try await Scene()
    let device = HeldDevice(reactor: scene.reactor)
    try scene.add(device)
    let client = try TestClient(scene.address)
    try client.go()
    func release(_ operation: BlockOperation, _ outcome: BlockOutcome = .success) async throws {
      try await eventually { device.heldCount == 1 }
      #expect(device.held == [operation])
      try await device.release(outcome)
    }
    for outcome in [BlockOutcome.success, .deviceError] {
      try client.request(.trim, length: 4096, flags: .forceUnitAccess)
      try await release(.discard)
      try await release(.flush, outcome)
      #expect(try client.reply()?.error == (outcome == .success ? 0 : NBDError.inputOutput.rawValue))
    }
    try client.request(.trim, length: 4096, flags: .forceUnitAccess)
    try await release(.discard, .deviceError)
    #expect(try client.reply()?.error == NBDError.inputOutput.rawValue)
    try client.request(.trim, length: 4096)
    try await release(.discard)
    #expect(try client.reply()?.error == 0)
    client.hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func aDeviceThatIsGone() async throws {
    let scene = try await Scene()
    let device = HeldDevice(reactor: scene.reactor)
    let export = try scene.add(device)
    let clients = try (0..<2).map { _ in
      let client = try TestClient(scene.address)
      try client.go()
      return client
    }
    try clients[0].request(.read, length: 512)
    try await eventually { device.heldCount == 1 }
    try await device.vanish()
    // The one with a request is told why, then both go.
    #expect(try clients[0].reply()?.error == NBDError.inputOutput.rawValue)
    for client in clients { #expect(try client.reply() == nil) }
    #expect(export.endReason == .deviceGone)
    #expect(scene.table.exports.isEmpty)
    await export.drained()
    let late = try TestClient(scene.address)
    #expect(throws: TestClient.Failure.self) { try late.go("disk") }
    late.hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func anExportThatIsTakenBack() async throws {
    let scene = try await Scene()
    let device = HeldDevice(reactor: scene.reactor)
    let export = try scene.add(device)
    try scene.add(scene.memory(), "other")
    let client = try TestClient(scene.address)
    try client.go("disk")
    let other = try TestClient(scene.address)
    try other.go("other")
    try client.request(.read, length: 512)
    try await eventually { device.heldCount == 1 }
    scene.table.remove(name: "disk")
    // What is under way comes to its end; the other export's client notices nothing.
    try await device.release()
    #expect(try client.reply()?.data == [UInt8](repeating: 0x77, count: 512))
    #expect(try client.reply() == nil)
    await export.drained()
    _ = try other.read(at: 0, 512)
    other.hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func resize() async throws {
    let scene = try await Scene()
    let device = HeldDevice(reactor: scene.reactor)
    let export = try scene.add(device)
    let client = try TestClient(scene.address)
    try client.go()
    let end = UInt64(1 << 29)
    try client.request(.read, offset: end, length: 512)
    #expect(try client.reply()?.error == NBDError.invalid.rawValue)
    device.resize(blockCount: 1 << 20 + 1)
    export.refresh()
    // Connections learn of it by their reactor's mailbox.
    try await scene.reactor.perform { _ in }
    try client.request(.read, offset: end, length: 512)
    try await eventually { device.heldCount == 1 }
    try await device.release()
    #expect(try client.reply()?.error == 0)
    let second = try TestClient(scene.address)
    try second.go()
    #expect(second.size == end + 512)
    // Smaller again, without anybody being told in time.
    device.resize(blockCount: 1)
    try client.request(.write, offset: 512, length: 512, payload: pattern(512, seed: 1))
    #expect(try client.reply()?.error == NBDError.noSpace.rawValue)
    client.hangUp()
    second.hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func writeZeroesOnAFileSystemWithLittle() async throws {
    let scene = try await Scene()
    let path = "/dev/shm/swift-nvmeof-nbd-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    defer { unlink(path) }
    let device = try FileBlockDevice(
      path: path, blockByteCount: 512, creatingByteCount: 1 << 24, reactor: scene.reactor)
    try scene.add(device)
    let client = try TestClient(scene.address)
    try client.go()
    let data = pattern(1 << 16, seed: 1)
    func zero(_ flags: NBDCommandFlags) throws -> UInt32? {
      try client.write(at: 0, data)
      try client.request(.writeZeroes, offset: 512, length: 1 << 15, flags: flags)
      let error = try client.reply()?.error
      var expected = data
      if error == 0 { expected.replaceSubrange(512..<512 + 1 << 15, with: [UInt8](repeating: 0, count: 1 << 15)) }
      #expect(try client.read(at: 0, data.count) == expected)
      return error
    }
    // tmpfs makes holes, and cannot zero in any other way.
    for flags in [[], .noHole, .fastZero, .forceUnitAccess] as [NBDCommandFlags] { #expect(try zero(flags) == 0) }
    #expect(try zero([.noHole, .fastZero]) == NBDError.notSupported.rawValue)
    device.file.ruleOut(.punchHole)
    #expect(try zero([]) == 0)
    #expect(try zero(.fastZero) == NBDError.notSupported.rawValue)
    client.hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func readOnly() async throws {
    let scene = try await Scene()
    try scene.add(scene.memory(), isReadOnly: true)
    let client = try TestClient(scene.address)
    try client.go()
    try client.request(.write, offset: 0, length: 512, payload: pattern(512, seed: 1))
    #expect(try client.reply()?.error == NBDError.notPermitted.rawValue)
    #expect(try client.read(at: 0, 512) == [UInt8](repeating: 0, count: 512))
    client.hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func stopWaitsForWhatIsUnderWay() async throws {
    let scene = try await Scene()
    let device = HeldDevice(reactor: scene.reactor)
    try scene.add(device)
    let client = try TestClient(scene.address)
    try client.go()
    try client.request(.read, length: 512)
    let idle = try TestClient(scene.address)
    try idle.greet()
    try await eventually { device.heldCount == 1 }
    async let left = scene.end()
    // One that has not got far is closed at once.
    #expect(try idle.receive(1) == nil)
    try await device.release()
    #expect(try client.reply()?.error == 0)
    #expect(try client.reply() == nil)
    #expect(try await left == 0)
  }

  @Test func slowClients() async throws {
    let scene = try await Scene { configuration in
      configuration.negotiationTimeoutMilliseconds = 1000
      configuration.drainTimeoutMilliseconds = 50
    }
    try scene.add(scene.memory())
    // One that says nothing, one that says half, one that does not fetch its answers.
    let silent = try TestClient(scene.address)
    let half = try TestClient(scene.address)
    try half.send([0, 0])
    #expect(try silent.receive(18)?.count == 18)
    #expect(try silent.receive(1) == nil)
    #expect(try half.receive(18)?.count == 18)
    #expect(try half.receive(1) == nil)
    let deaf = try TestClient(scene.address)
    try deaf.go()
    for _ in 0..<16 { try deaf.request(.read, length: 1 << 20) }
    #expect(try await scene.end() == 0)
    deaf.hangUp()
  }

  @Test func tooManyConnections() async throws {
    var budget = NBDBudgetConfiguration()
    budget.maximumConnectionCount = 2
    let scene = try await Scene(budget: budget)
    try scene.add(scene.memory())
    let clients = try (0..<2).map { _ in
      let client = try TestClient(scene.address)
      try client.go()
      return client
    }
    let third = try TestClient(scene.address)
    #expect(try third.receive(1) == nil)
    clients[0].hangUp()
    try await eventually { scene.server.connectionCount == 1 }
    let fourth = try TestClient(scene.address)
    try fourth.go()
    fourth.hangUp()
    clients[1].hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func hostileBytes() async throws {
    let scene = try await Scene()
    try scene.add(scene.memory())
    let witness = try TestClient(scene.address)
    try witness.go()
    var random = SystemRandomNumberGenerator()
    for round in 0..<60 {
      let client = try TestClient(scene.address)
      if round % 3 > 0 { try client.go() }
      let noise = (0..<Int.random(in: 1...5000, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      // Now and then with a magic number before it.
      try? client.send((round % 3 == 2 ? bytes(NBDMagic.request) : []) + noise)
      client.hangUp()
    }
    #expect(try witness.read(at: 0, 512).count == 512)
    witness.hangUp()
    #expect(try await scene.end() == 0)
  }

  @Test func addressesAsClientsWriteThem() throws {
    let path = try #require(SocketAddress(unixPath: "/run/a b.sock"))
    #expect(NBDAddress.uri(path, exportName: "x y") == "nbd+unix:///x%20y?socket=/run/a%20b.sock")
    let v4 = try #require(SocketAddress(numericHost: "127.0.0.1", port: 10_809))
    #expect(NBDAddress.uri(v4, exportName: "") == "nbd://127.0.0.1/")
    #expect(NBDAddress.uri(v4, exportName: "", isSecure: true) == "nbds://127.0.0.1/")
    #expect(NBDAddress.uri(path, exportName: "x", isSecure: true) == "nbds+unix:///x?socket=/run/a%20b.sock")
    let v6 = try #require(SocketAddress(numericHost: "::1", port: 1))
    #expect(NBDAddress.uri(v6, exportName: "nqn:1/ä") == "nbd://[::1]:1/nqn:1/%C3%A4")
  }
}
