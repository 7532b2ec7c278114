/// CNS: which structure Identify returns (NVMe Base 2.1, figure 310).
public struct IdentifyStructure: RawRepresentable, Hashable, Sendable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let namespace = IdentifyStructure(rawValue: 0x00)
  public static let controller = IdentifyStructure(rawValue: 0x01)
  public static let activeNamespaceList = IdentifyStructure(rawValue: 0x02)
  public static let namespaceDescriptors = IdentifyStructure(rawValue: 0x03)
  public static let nvmSetList = IdentifyStructure(rawValue: 0x04)
  public static let commandSetNamespace = IdentifyStructure(rawValue: 0x05)
  public static let commandSetController = IdentifyStructure(rawValue: 0x06)
  public static let commandSetActiveNamespaceList = IdentifyStructure(rawValue: 0x07)
  public static let independentNamespace = IdentifyStructure(rawValue: 0x08)
  public static let allocatedNamespaceList = IdentifyStructure(rawValue: 0x10)
  public static let allocatedNamespace = IdentifyStructure(rawValue: 0x11)
  public static let namespaceAttachedControllerList = IdentifyStructure(rawValue: 0x12)
  public static let controllerList = IdentifyStructure(rawValue: 0x13)
  public static let primaryControllerCapabilities = IdentifyStructure(rawValue: 0x14)
  public static let secondaryControllerList = IdentifyStructure(rawValue: 0x15)
  public static let domainList = IdentifyStructure(rawValue: 0x18)
  public static let enduranceGroupList = IdentifyStructure(rawValue: 0x19)
  public static let commandSetCombinations = IdentifyStructure(rawValue: 0x1C)

  /// Every Identify structure is this long.
  public static let byteCount = 4096
}
