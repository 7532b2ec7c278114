import NVMeHost
import NVMeProtocol
import RingReactor
import Testing

/// Discovery through the controller's driver, on a reactor, over a transport without a network.
@Suite struct DiscoveryClientTests {
  static func client(
    _ services: [String: [DiscoveryLogEntry]], on thread: ReactorThread
  ) -> DiscoveryClient {
    DiscoveryClient(
      identity: HostIdentity(hostNQN: "nqn.h", hostIdentifier: Identifier128(high: 1, low: 2)), home: thread.handle
    ) { FakeTransport(target: $0, services: services) }
  }

  @Test func followsReferrals() async throws {
    let thread = try ReactorThread()
    defer { thread.stop() }
    let client = Self.client(
      [
        "10.0.0.1": (1...70).map { DiscoveryTests.entry("10.1.0.\($0)") } + [
          DiscoveryTests.referral("10.0.0.2"), DiscoveryTests.referral("10.0.0.3"),
        ],
        "10.0.0.2": [DiscoveryTests.entry("10.2.0.1"), DiscoveryTests.referral("10.0.0.1")],
      ], on: thread)
    let result = try await client.discover(from: TargetIdentifier(host: "10.0.0.1"))
    #expect(result.records.count == 74)
    #expect(result.records.filter(\.isConnectable).count == 71)
    #expect(result.failures.map(\.target.host) == ["10.0.0.3"])
    guard case .controller(.transport(0, let error))? = result.failures.first?.error else {
      Issue.record("\(result.failures)")
      return
    }
    #expect(error.kind == .connect)
    // Nothing of the connections is left behind.
    var left = 1
    for _ in 0..<1000 where left > 0 { left = try await thread.handle.perform { $0.sourceCount } }
    #expect(left == 0)
  }

  @Test func firstServiceUnreachable() async throws {
    let thread = try ReactorThread()
    defer { thread.stop() }
    let client = Self.client([:], on: thread)
    await #expect(throws: DiscoveryError.self) {
      _ = try await client.discover(from: TargetIdentifier(host: "10.0.0.1"))
    }
  }
}
