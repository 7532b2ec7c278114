public import NVMeHost
internal import NVMeProtocol

/// Which subsystem is tested, and as whom.
public struct ConformanceTarget: Sendable, Hashable, CustomStringConvertible {
  /// A name or an address without brackets.
  public var host: String
  public var port: UInt16
  /// Another port of the same subsystem on the same host; nil when none is known.
  public var secondPort: UInt16?
  public var subsystemNQN: String
  /// The namespaces under test; destructive cases overwrite exactly these. Empty: none was named, and only cases that
  /// change nothing run, on the first active one.
  public var namespaceIdentifiers: [UInt32] = []
  public var identity: HostIdentity

  /// The host is a new one, with a random identity.
  public init(host: String, port: UInt16, subsystemNQN: String) {
    self.host = host
    self.port = port
    self.subsystemNQN = subsystemNQN
    identity = .random()
  }

  /// What a user has written: address, subsystem, namespace and, where given, host. Cases choose the rest themselves.
  public init(_ identifier: TargetIdentifier) {
    self.init(host: identifier.host, port: identifier.port, subsystemNQN: identifier.subsystemNQN)
    if let namespace = identifier.namespaceIdentifier { namespaceIdentifiers = [namespace] }
    if let hostIdentifier = identifier.hostIdentifier { identity.hostIdentifier = hostIdentifier }
    if let hostNQN = identifier.hostNQN { identity.hostNQN = hostNQN }
  }

  public var description: String {
    TargetIdentifier(host: host, port: port, subsystemNQN: subsystemNQN).uri
  }
}
