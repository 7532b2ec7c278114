/// An NVM subsystem to add to a target.
public struct SubsystemConfiguration: Sendable {
  /// SUBNQN: 1...223 bytes.
  public var nqn: String
  /// SN, ASCII, at most 20 bytes.
  public var serialNumber = "EMBEDDED00000001"
  /// MN, ASCII, at most 40 bytes.
  public var modelNumber = "swift-nvmeof embedded target"
  /// FR, ASCII, at most 8 bytes.
  public var firmwareRevision = "1.0"
  /// Host NQNs that may connect; nil: any.
  public var allowedHosts: Set<String>?
  /// Namespaces from the start, by identifier.
  public var namespaces: [UInt32: NamespaceConfiguration] = [:]

  public init(nqn: String) { self.nqn = nqn }

  /// With one namespace of identifier 1.
  public init(nqn: String, namespace: NamespaceConfiguration) {
    self.nqn = nqn
    namespaces = [1: namespace]
  }
}
