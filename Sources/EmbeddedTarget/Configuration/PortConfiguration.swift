/// An address that a target listens on.
public struct PortConfiguration: Sendable {
  /// A numeric IPv4 or IPv6 address.
  public var host: String
  /// TCP port; 0 has the kernel choose one.
  public var port: UInt16
  /// PORTID in the discovery log; unique in a target. 0 takes the next free one.
  public var identifier: UInt16
  /// Subsystems reachable through it; nil: all.
  public var subsystems: Set<String>?
  /// What the discovery log says in place of `host`; nil: `host`, or for a wildcard the address the host came to.
  public var advertisedHost: String?

  public init(host: String = "127.0.0.1", port: UInt16 = 0, identifier: UInt16 = 0) {
    self.host = host
    self.port = port
    self.identifier = identifier
  }
}
