import BlockDevice
import EmbeddedTarget
import Glibc
import NVMeTCPProtocol
import TestSupport
import Testing

@Suite("Changes at run time")
struct ControlTests {
  /// Waits for a notice that satisfies `condition`, while `change` makes it come.
  private func notice(
    of controller: Controller, _ condition: @escaping @Sendable (ControllerNotice) -> Bool,
    after change: () async throws -> Void
  ) async throws -> ControllerNotice {
    let (stream, continuation) = AsyncStream.makeStream(of: ControllerNotice.self)
    let observer = controller.addObserver { continuation.yield($0) }
    defer { controller.removeObserver(observer) }
    try await change()
    for await notice in stream where condition(notice) { return notice }
    throw WireHost.Failure(description: "no notice")
  }

  @Test("namespaces added, resized and removed are told to hosts in use")
  func namespaces() async throws {
    let fixture = try await TargetFixture.make()
    let (controller, device) = try await fixture.connected()

    let added = try await notice(of: controller, { if case .namespacesChanged = $0 { true } else { false } }) {
      try await fixture.target.addNamespace(
        7, .memory(byteCount: 1 << 20, blockByteCount: 4096), to: TargetFixture.nqn)
    }
    guard case .namespacesChanged(let changes) = added, case .added(let information) = changes.first else {
      Issue.record("expected an added namespace, got \(added)")
      return
    }
    #expect(information.identifier == 7)
    let second = try #require(controller.blockDevice(namespaceIdentifier: 7))
    #expect(second.geometry.blockByteCount == 4096)
    #expect(second.geometry.blockCount == 256)

    _ = try await notice(of: controller, { if case .namespacesChanged = $0 { true } else { false } }) {
      try await fixture.target.resizeNamespace(1, of: TargetFixture.nqn, byteCount: 128 << 20)
    }
    #expect(device.geometry.byteCount == 128 << 20)
    let data = pattern(4096, seed: 4)
    try await device.write(at: (128 << 20) / 512 - 8, data)
    #expect(try await device.read(at: (128 << 20) / 512 - 8, blockCount: 8) == data)

    _ = try await notice(of: controller, { if case .namespacesChanged = $0 { true } else { false } }) {
      try await fixture.target.removeNamespace(1, from: TargetFixture.nqn)
    }
    #expect(device.isGone)
    await #expect(throws: BlockError.self) { try await device.read(at: 0, blockCount: 1) }
    try await second.write(at: 0, pattern(4096, seed: 5))
    await controller.disconnect()
    await fixture.stop()
  }

  @Test("the changed namespace list is read and cleared; events are masked until then")
  func changedNamespaceList() async throws {
    let fixture = try await TargetFixture.make()
    let admin = try WireHost(fixture.port)
    try admin.becomeAdmin()
    #expect(
      try admin.run(.setFeatures(.asynchronousEventConfiguration, value: 1 << 8)).completion.status.isSuccess)
    for identifier: UInt16 in [90, 91] {
      var event = SubmissionQueueEntry.asynchronousEventRequest()
      event.commandIdentifier = identifier
      try admin.send(admin.capsule(event))
    }
    try await fixture.target.addNamespace(3, .memory(byteCount: 4096), to: TargetFixture.nqn)
    try await fixture.target.addNamespace(5, .memory(byteCount: 4096), to: TargetFixture.nqn)
    let event = try admin.expect().completion
    #expect(event.commandIdentifier == 90)
    // Notice, namespace attribute changed, log 04h.
    #expect(event.dword0 == 0x04_0002)
    func list(retain: Bool = false) throws -> [UInt32] {
      var command = SubmissionQueueEntry(opcode: 0x02, namespaceIdentifier: .max)
      command.cdw10 = 0x04 | 1023 << 16 | (retain ? 1 << 15 : 0)
      command.sgl = .transport(length: 4096)
      let data = try admin.run(command).data
      return (0..<1024).map { position in
        data.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4 * position, as: UInt32.self) }
      }.filter { $0 != 0 }
    }
    #expect(try list(retain: true) == [3, 5])
    #expect(try list() == [3, 5])
    #expect(try list() == [])
    // The mask is gone: the next change comes at once, by the second request.
    try await fixture.target.removeNamespace(3, from: TargetFixture.nqn)
    #expect(try admin.expect().completion.commandIdentifier == 91)
    #expect(try list() == [3])
    await fixture.stop()
  }

  @Test("ANA states are shown, told and obeyed, port by port")
  func accessStates() async throws {
    let fixture = try await TargetFixture.make()
    let other = try await fixture.target.addPort()
    let admin = try WireHost(fixture.port)
    let host = try WireHost(fixture.port)
    try host.becomeIO(controller: try admin.becomeAdmin())
    let otherAdmin = try WireHost(other)
    let otherHost = try WireHost(other)
    try otherHost.becomeIO(controller: try otherAdmin.becomeAdmin())
    _ = try admin.run(.setFeatures(.asynchronousEventConfiguration, value: 1 << 11))
    var event = SubmissionQueueEntry.asynchronousEventRequest()
    event.commandIdentifier = 90
    try admin.send(admin.capsule(event))

    func log(_ admin: WireHost) throws -> [UInt8] {
      var command = SubmissionQueueEntry(opcode: 0x02, namespaceIdentifier: .max)
      command.cdw10 = 0x0C | 12 << 16
      command.sgl = .transport(length: 52)
      return try admin.run(command).data
    }
    var read = SubmissionQueueEntry.read(namespaceIdentifier: 1, startingLBA: 0, blockCount: 1)
    read.sgl = .transport(length: 512)
    // One group with namespace 1, optimized.
    #expect(try Array(log(admin)[8..<10]) == [1, 0])
    #expect(try log(admin)[32] == 1)
    #expect(try host.run(read).completion.status.isSuccess)
    let states: [(ANAState, StatusField)] = [
      (.nonOptimized, .success), (.inaccessible, .asymmetricAccessInaccessible),
      (.persistentLoss, .asymmetricAccessPersistentLoss), (.change, .asymmetricAccessTransition),
    ]
    var isFirst = true
    for (state, status) in states {
      try await fixture.target.setANAState(state, group: 1, port: fixture.port.identifier)
      if isFirst {
        let notice = try admin.expect().completion
        #expect(notice.commandIdentifier == 90)
        #expect(notice.dword0 == 0x0C_0302)
      }
      isFirst = false
      #expect(try log(admin)[32] == state.rawValue)
      #expect(try host.run(read).completion.status.typeAndCode == status)
      // The other port is not concerned.
      #expect(try log(otherAdmin)[32] == 1)
      #expect(try otherHost.run(read).completion.status.isSuccess)
    }
    await #expect(throws: TargetError.self) {
      try await fixture.target.setANAState(.optimized, group: 33, port: fixture.port.identifier)
    }
    await fixture.stop()
  }

  @Test("the discovery log names subsystems by port and host, referrals, and its generation")
  func discovery() async throws {
    let fixture = try await TargetFixture.make()
    var second = SubsystemConfiguration(
      nqn: "nqn.2026-01.org.example:second", namespace: .memory(byteCount: 1 << 20))
    second.allowedHosts = ["nqn.2026-01.org.example:somebody"]
    try await fixture.target.addSubsystem(second)
    var restricted = PortConfiguration(host: "127.0.0.1")
    restricted.subsystems = []
    restricted.advertisedHost = "192.0.2.7"
    let other = try await fixture.target.addPort(restricted)
    var referral = DiscoveryReferral(host: "192.0.2.1", service: "8009", portIdentifier: 9)
    referral.transportType = 1
    try await fixture.target.setReferrals([referral])

    let admin = try WireHost(fixture.port)
    try admin.becomeAdmin(nqn: DiscoveryReferral.wellKnownNQN)
    func log() throws -> [UInt8] {
      var command = SubmissionQueueEntry(opcode: 0x02)
      command.cdw10 = 0x70 | 2047 << 16
      command.sgl = .transport(length: 8192)
      return try admin.run(command).data
    }
    func text(_ bytes: ArraySlice<UInt8>) -> String {
      String(decoding: bytes.prefix { $0 != 0 && $0 != 0x20 }, as: UTF8.self)
    }
    let first = try log()
    // The discovery subsystem itself, the first subsystem, the referral; the second subsystem is not for this host.
    #expect(Array(first[8..<16]) == [3, 0, 0, 0, 0, 0, 0, 0])
    #expect(first[1024 + 2] == 3)
    #expect(text(first[1024 + 256..<1024 + 512]) == DiscoveryReferral.wellKnownNQN)
    #expect(Array(first[2048..<2051]) == [3, 1, 2])
    #expect(text(first[2048 + 256..<2048 + 512]) == TargetFixture.nqn)
    #expect(text(first[2048 + 512..<2048 + 768]) == "127.0.0.1")
    #expect(text(first[2048 + 32..<2048 + 64]) == "\(fixture.port.port)")
    #expect(Array(first[3072..<3075]) == [1, 1, 1])
    #expect(text(first[3072 + 512..<3072 + 768]) == "192.0.2.1")

    // Watched: a subsystem more, and the event.
    _ = try admin.run(.setFeatures(.asynchronousEventConfiguration, value: 1 << 31))
    var event = SubmissionQueueEntry.asynchronousEventRequest()
    event.commandIdentifier = 90
    try admin.send(admin.capsule(event))
    try await fixture.target.setAllowedHosts(nil, of: second.nqn)
    let notice = try admin.expect().completion
    #expect(notice.commandIdentifier == 90)
    #expect(notice.dword0 == 0x70_F002)
    let after = try log()
    #expect(after[8] == 4)
    #expect(after[0..<8] != first[0..<8])
    // No other port may be used for what it does not offer.
    let elsewhere = try WireHost(other)
    try elsewhere.initialize()
    let refused = try elsewhere.run(WireHost.connectCommand(), data: WireHost.connectData())
    #expect(refused.completion.status.matches(.connectInvalidParameters))
    await fixture.stop()
  }

  @Test("a host that is not heard of loses its controller; one that keeps alive does not")
  func keepAlive() async throws {
    let fixture = try await TargetFixture.make()
    let silent = try WireHost(fixture.port)
    let controller = try silent.becomeAdmin(keepAlive: 300)
    let queue = try WireHost(fixture.port)
    try queue.becomeIO(controller: controller)
    // Both connections end, without anything more being said.
    #expect(try silent.receive() == nil)
    #expect(try queue.receive() == nil)

    let alive = fixture.controller { $0.keepAliveTimeoutMilliseconds = 2000 }
    alive.connect()
    try await alive.ready()
    try await Task.sleep(for: .milliseconds(5000))
    #expect(alive.condition == .ready)
    await alive.disconnect()
    await fixture.stop()
  }

  @Test("a disabled namespace comes back with what it held; queues may become fewer; faults may be one port's")
  func pathChanges() async throws {
    let fixture = try await TargetFixture.make()
    let controller = fixture.controller { $0.queueCount = 4 }
    controller.connect()
    try await controller.ready()
    #expect(controller.snapshot.queueCount == 4)
    let data = pattern(4096, seed: 9)
    try await #require(controller.blockDevice(namespaceIdentifier: 1)).write(at: 3, data)
    for isEnabled in [false, true] {
      _ = try await notice(of: controller, { if case .namespacesChanged = $0 { true } else { false } }) {
        try await fixture.target.setNamespace(1, of: TargetFixture.nqn, isEnabled: isEnabled)
      }
      #expect((controller.snapshot.namespaces[1] != nil) == isEnabled)
      await #expect(throws: TargetError.self) {
        try await fixture.target.setNamespace(1, of: TargetFixture.nqn, isEnabled: isEnabled)
      }
      // Its number is not free meanwhile.
      await #expect(throws: TargetError.self) {
        try await fixture.target.addNamespace(1, .memory(byteCount: 4096), to: TargetFixture.nqn)
      }
    }
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    #expect(try await device.read(at: 3, blockCount: 8) == data)

    try await fixture.target.setMaximumIOQueues(1)
    await #expect(throws: TargetError.self) { try await fixture.target.setMaximumIOQueues(0) }
    // Who is connected keeps what it has.
    #expect(try await device.read(at: 3, blockCount: 8) == data)
    try await controller.reset()
    #expect(controller.snapshot.queueCount == 1)

    let other = try await fixture.target.addPort()
    var rule = FaultRule(.ioCommand(), .status(.unrecoveredReadError))
    rule.portIdentifier = other.identifier
    _ = try await fixture.target.addFault(rule)
    #expect(try await device.read(at: 3, blockCount: 8) == data)
    let admin = try WireHost(other)
    let queue = try WireHost(other)
    try queue.becomeIO(controller: try admin.becomeAdmin())
    #expect(try queue.run(.flush(namespaceIdentifier: 1)).completion.status.matches(.unrecoveredReadError))
    await controller.disconnect()
    await fixture.stop()
  }

  @Test("a command whose namespace is replaced while its data comes is not carried out on the new one")
  func replacedNamespace() async throws {
    let path = "/tmp/nvmeof-target-test-\(UInt64.random(in: 0 ... .max)).img"
    defer { unlink(path) }
    let fixture = try await TargetFixture.make()
    let admin = try WireHost(fixture.port)
    let host = try WireHost(fixture.port)
    try host.becomeIO(controller: try admin.becomeAdmin())
    let commands: [SubmissionQueueEntry] = [
      .compare(namespaceIdentifier: 1, startingLBA: 0, blockCount: 8),
      .write(namespaceIdentifier: 1, startingLBA: 0, blockCount: 8),
    ]
    // Larger blocks: the same command then spans more than the memory that its data was given.
    let replacements: [NamespaceConfiguration] = [
      .memory(byteCount: 1 << 20, blockByteCount: 4096),
      NamespaceConfiguration(backing: .file(path: path, byteCount: 1 << 20), blockByteCount: 4096),
      .memory(byteCount: 1 << 20),
    ]
    for command in commands {
      for replacement in replacements {
        var command = command
        command.commandIdentifier = 3
        command.sgl = .transport(length: 4096)
        try await fixture.target.removeNamespace(1, from: TargetFixture.nqn)
        try await fixture.target.addNamespace(1, .memory(byteCount: 64 << 20), to: TargetFixture.nqn)
        try host.send(host.capsule(command))
        let ready = try host.expect().readyToTransfer
        try await fixture.target.removeNamespace(1, from: TargetFixture.nqn)
        try await fixture.target.addNamespace(1, replacement, to: TargetFixture.nqn)
        try host.send(
          host.h2cData(3, tag: ready.transferTag, offset: 0, [UInt8](repeating: 9, count: 4096), isLast: true))
        #expect(try host.expect().completion.status.matches(.invalidNamespaceOrFormat))
      }
    }
    await fixture.stop()
  }

  @Test("namespaces that are removed give their memory back, also while hosts stay connected")
  func removedMemory() async throws {
    let fixture = try await TargetFixture.make()
    let (controller, device) = try await fixture.connected()
    let data = pattern(65_536, seed: 5)
    try await device.write(at: 0, data)
    var namespace = NamespaceConfiguration.memory(byteCount: 64 << 20)
    namespace.isPopulated = true
    let before = try residentByteCount()
    for _ in 0..<8 {
      try await fixture.target.addNamespace(2, namespace, to: TargetFixture.nqn)
      try await fixture.target.removeNamespace(2, from: TargetFixture.nqn)
    }
    #expect(try residentByteCount() - before < 256 << 20)
    #expect(try await device.read(at: 0, blockCount: 128) == data)
    await controller.disconnect()
    await fixture.stop()
  }

  @Test("a controller that grants no digests is not said to break rules", arguments: [true, false])
  func refusedDigests(header: Bool) async throws {
    var configuration = TargetConfiguration()
    configuration.allowsHeaderDigest = false
    configuration.allowsDataDigest = false
    let fixture = try await TargetFixture.make(target: configuration)
    var options = TCPTransportOptions()
    options.headerDigest = header
    options.dataDigest = true
    let controller = fixture.controller(options: options)
    controller.connect()
    let error = await #expect(throws: ControllerError.self) { try await controller.ready() }
    let text = error?.description ?? ""
    #expect(text.contains("does not enable \(header ? "header digests and " : "")data digests, which"), "\(text)")
    await controller.disconnect()
    await fixture.stop()
  }

  @Test("ports and subsystems come and go")
  func portsAndSubsystems() async throws {
    let fixture = try await TargetFixture.make()
    let admin = try WireHost(fixture.port)
    try admin.becomeAdmin()
    let port = try await fixture.target.addPort()
    let other = try WireHost(port)
    try other.becomeAdmin()
    try await fixture.target.removePort(port.identifier)
    #expect(try other.receive() == nil)
    #expect(throws: WireHost.Failure.self) { try WireHost(port).becomeAdmin() }
    #expect(try admin.run(.keepAlive()).completion.status.isSuccess)
    await #expect(throws: TargetError.self) { try await fixture.target.removePort(port.identifier) }
    await #expect(throws: TargetError.self) {
      try await fixture.target.addSubsystem(SubsystemConfiguration(nqn: TargetFixture.nqn))
    }
    try await fixture.target.removeSubsystem(TargetFixture.nqn)
    #expect(try admin.receive() == nil)
    let late = try WireHost(fixture.port)
    #expect(throws: WireHost.Failure.self) { try late.becomeAdmin() }
    try await fixture.target.addSubsystem(
      SubsystemConfiguration(nqn: TargetFixture.nqn, namespace: .memory(byteCount: 1 << 20)))
    try WireHost(fixture.port).becomeAdmin()
    #expect(try await fixture.target.closeConnections() >= 1)
    await fixture.stop()
  }

  @Test("limits: controllers, configurations, sizes")
  func limits() async throws {
    var configuration = TargetConfiguration()
    configuration.maximumControllers = 2
    let fixture = try await TargetFixture.make(target: configuration)
    let one = try WireHost(fixture.port)
    let two = try WireHost(fixture.port)
    try one.becomeAdmin()
    try two.becomeAdmin()
    let three = try WireHost(fixture.port)
    try three.initialize()
    let refused = try three.run(WireHost.connectCommand(), data: WireHost.connectData())
    #expect(refused.completion.status.matches(.connectControllerBusy))
    #expect(!refused.completion.status.doNotRetry)
    configuration.maximumQueueEntries = 1
    await #expect(throws: TargetError.self) { try await EmbeddedTarget.start(configuration: configuration) }
    await #expect(throws: TargetError.self) {
      try await fixture.target.addNamespace(1, .memory(byteCount: 4096), to: TargetFixture.nqn)
    }
    await #expect(throws: TargetError.self) {
      try await fixture.target.addNamespace(2, .memory(byteCount: 100), to: TargetFixture.nqn)
    }
    await #expect(throws: TargetError.self) {
      try await fixture.target.addNamespace(2, .memory(byteCount: 4096, blockByteCount: 520), to: TargetFixture.nqn)
    }
    await #expect(throws: TargetError.self) {
      try await fixture.target.resizeNamespace(1, of: TargetFixture.nqn, byteCount: 1 << 50)
    }
    await #expect(throws: TargetError.self) {
      try await fixture.target.addNamespace(
        2, NamespaceConfiguration(backing: .file(path: "/nonexistent/x")), to: TargetFixture.nqn)
    }
    await fixture.stop()
  }

  @Test("connections without Connect give their places to new ones, the oldest first; others keep theirs")
  func silentConnections() async throws {
    var configuration = TargetConfiguration()
    configuration.maximumConnections = 4
    configuration.handshakeTimeoutMilliseconds = 600_000
    let fixture = try await TargetFixture.make(target: configuration)
    let idle = try (0..<4).map { _ in try WireHost(fixture.port) }
    // ICReq alone earns no place.
    try idle[0].initialize()
    try idle[1].initialize()
    let fifth = try WireHost(fixture.port)
    try fifth.becomeAdmin()
    #expect(try idle[0].receive() == nil)
    let sixth = try WireHost(fixture.port)
    try sixth.becomeAdmin()
    #expect(try idle[1].receive() == nil)
    for host in idle[2...] { try host.becomeAdmin() }
    // All that are left have a controller.
    let seventh = try WireHost(fixture.port)
    #expect(try seventh.receive() == nil)
    #expect(try fifth.run(.propertySet(.controllerConfiguration, value: 0x0046_0001)).completion.status.isSuccess)
    await fixture.stop()
  }

  @Test("a target that nobody stopped ends by itself")
  func abandoned() async throws {
    let port: EmbeddedTarget.Port
    let host: WireHost
    do {
      let target = try await EmbeddedTarget.start()
      try await target.addSubsystem(
        SubsystemConfiguration(nqn: TargetFixture.nqn, namespace: .memory(byteCount: 1 << 20)))
      port = try await target.addPort()
      host = try WireHost(port)
      try host.becomeAdmin()
    }
    #expect(try host.receive() == nil)
  }
}
