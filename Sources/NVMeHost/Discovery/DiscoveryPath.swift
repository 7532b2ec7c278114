internal import NVMeProtocol

/// A way to a subsystem as discovery logs name it: address, port, NQN, and which controller.
///
/// Two are equal when these are, whatever options the services that named them were reached with: one path, even if
/// several services know of it.
public struct DiscoveryPath: Hashable, Sendable, CustomStringConvertible {
  /// Where to connect.
  public var target: TargetIdentifier
  /// CNTLID to connect with: FFFFh for the dynamic controller model, FFFEh for any controller of the static one.
  public var controllerIdentifier: UInt16

  /// - Returns: nil when the entry is no subsystem with I/O controllers that we can connect to.
  public init?(_ record: DiscoveryRecord) {
    guard record.isConnectable, let target = record.target else { return nil }
    self.target = target
    controllerIdentifier = record.entry.controllerIdentifier
  }

  public static func == (a: DiscoveryPath, b: DiscoveryPath) -> Bool {
    a.controllerIdentifier == b.controllerIdentifier && a.target.port == b.target.port
      && a.target.subsystemNQN == b.target.subsystemNQN && a.target.host.lowercased() == b.target.host.lowercased()
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(controllerIdentifier)
    hasher.combine(target.port)
    hasher.combine(target.subsystemNQN)
    hasher.combine(target.host.lowercased())
  }

  public var description: String { target.uri }
}
