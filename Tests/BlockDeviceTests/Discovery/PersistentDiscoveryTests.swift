import BlockDevice
import EmbeddedTarget
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct PersistentDiscoveryTests {
  @Test func followsTheLogAsSubsystemsComeAndGo() async throws {
    let bed = try await DiscoveryBed()
    bed.discovery.start()
    try await bed.discovery.ready()
    #expect(bed.pathNQNs == [DiscoveryBed.nqn])
    for index in 0..<5 { try await bed.target.addSubsystem(SubsystemConfiguration(nqn: "nqn.x:\(index)")) }
    try await eventually { bed.pathNQNs.count == 6 }
    for index in 0..<5 { try await bed.target.removeSubsystem("nqn.x:\(index)") }
    try await eventually { bed.pathNQNs == [DiscoveryBed.nqn] }
    // Another port brings the subsystem once more; hosts that may not use it do not see it.
    let second = try await bed.target.addPort()
    try await eventually { bed.pathNQNs.count == 2 }
    try await bed.target.setAllowedHosts([], of: DiscoveryBed.nqn)
    try await eventually { bed.pathNQNs.isEmpty }
    try await bed.target.setAllowedHosts(nil, of: DiscoveryBed.nqn)
    try await bed.target.removePort(second.identifier)
    try await eventually { bed.pathNQNs.count == 1 }
    #expect(try await bed.end() == 0)
    #expect(bed.events.last == .detach([try #require(DiscoveryPath.only(in: bed.events))]))
  }

  @Test func aLossDetachesNothingAndWhatWasMissedIsReadAfterwards() async throws {
    let bed = try await DiscoveryBed()
    bed.discovery.start()
    try await bed.discovery.ready()
    try await bed.target.addSubsystem(SubsystemConfiguration(nqn: "nqn.x:early"))
    try await eventually { bed.pathNQNs.count == 2 }
    try await bed.target.removePort(bed.port.identifier)
    try await eventually { bed.discovery.snapshot.services.first?.isConnected == false }
    #expect(bed.pathNQNs.count == 2)
    try await bed.target.addSubsystem(SubsystemConfiguration(nqn: "nqn.x:late"))
    try await bed.target.removeSubsystem("nqn.x:early")
    try await bed.target.addPort(PortConfiguration(port: bed.port.port, identifier: bed.port.identifier))
    try await eventually { bed.pathNQNs == [DiscoveryBed.nqn, "nqn.x:late"] }
    let lost = bed.events.count { if case .serviceLost = $0 { true } else { false } }
    #expect(lost == 1)
    #expect(try await bed.end() == 0)
  }

  @Test func referralsAreFollowedAndLetGo() async throws {
    let (bed, other) = (try await DiscoveryBed(), try await DiscoveryBed())
    try await other.target.removeSubsystem(DiscoveryBed.nqn)
    try await other.target.addSubsystem(SubsystemConfiguration(nqn: "nqn.x:other"))
    // Each refers to the other.
    try await other.target.setReferrals([DiscoveryReferral(host: "127.0.0.1", service: "\(bed.port.port)")])
    bed.discovery.start()
    try await bed.discovery.ready()
    try await bed.target.setReferrals([DiscoveryReferral(host: "127.0.0.1", service: "\(other.port.port)")])
    try await eventually { bed.pathNQNs.count == 2 }
    // It is watched like the first one.
    try await other.target.addSubsystem(SubsystemConfiguration(nqn: "nqn.x:more"))
    try await eventually { bed.pathNQNs.count == 3 }
    #expect(bed.discovery.snapshot.services.count == 2)
    // Its loss alone takes nothing away.
    try await other.target.removePort(other.port.identifier)
    try await eventually { bed.discovery.snapshot.services.last?.isConnected == false }
    #expect(bed.pathNQNs.count == 3)
    try await bed.target.setReferrals([])
    try await eventually { bed.pathNQNs == [DiscoveryBed.nqn] }
    #expect(bed.discovery.snapshot.services.count == 1)
    #expect(try await bed.end() == 0)
    #expect(try await other.end() == 0)
  }

  @Test func aNameOfItsOwnIsUsed() async throws {
    let name = "nqn.2026-11.io.swift-nvmeof:discovery"
    let bed = try await DiscoveryBed(target: { $0.discoveryNQN = name })
    bed.discovery.start()
    try await bed.discovery.ready()
    try await eventually {
      bed.discovery.snapshot.services.first.map { $0.uniqueNQN == name && $0.isConnected } ?? false
    }
    try await bed.target.addSubsystem(SubsystemConfiguration(nqn: "nqn.x:1"))
    try await eventually { bed.pathNQNs.count == 2 }
    #expect(!bed.events.contains { if case .detach = $0 { true } else { false } })
    #expect(try await bed.end() == 0)
  }

  @Test func aServiceThatIsNotThere() async throws {
    let bed = try await DiscoveryBed()
    try await bed.target.removePort(bed.port.identifier)
    bed.discovery.start()
    await #expect(throws: DiscoveryError.self) { try await bed.discovery.ready() }
    #expect(try await bed.end() == 0)
  }

  @Test func anIOControllerIsNoDiscoveryService() async throws {
    let bed = try await DiscoveryBed()
    let discovery = PersistentDiscovery(
      target: TargetIdentifier(host: "127.0.0.1", port: bed.port.port, subsystemNQN: DiscoveryBed.nqn),
      identity: DiscoveryBed.identity, home: bed.thread.handle
    ) { TCPTransport(host: $0.host, port: $0.port) }
    discovery.start()
    do {
      try await discovery.ready()
      Issue.record("it was taken for a discovery service")
    } catch {
      #expect("\(error)".contains("not a discovery controller"), "\(error)")
    }
    await discovery.stop()
    #expect(try await bed.end() == 0)
  }

  @Test func stoppedAtAnyMomentNothingIsLeft() async throws {
    for delayMilliseconds in 0..<20 {
      let bed = try await DiscoveryBed()
      bed.discovery.start()
      try await Task.sleep(for: .milliseconds(delayMilliseconds))
      #expect(try await bed.end() == 0)
      // Whoever waits is told.
      try? await bed.discovery.ready()
    }
  }
}

extension DiscoveryPath {
  /// The path that the last attach but one is about, where only one is left: the first one attached.
  fileprivate static func only(in events: [DiscoveryEvent]) -> DiscoveryPath? {
    for case .attach(let paths) in events { return paths.first }
    return nil
  }
}
