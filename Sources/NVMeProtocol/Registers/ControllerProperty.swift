/// A controller property that fabrics reach by Property Get and Set (NVMe Base 2.1, section 3.1.4, figure 33).
public struct ControllerProperty: Hashable, Sendable {
  /// OFST, bytes.
  public var offset: UInt32
  /// ATTRIB: 8 bytes, else 4.
  public var isEightBytes: Bool

  public init(offset: UInt32, isEightBytes: Bool) {
    self.offset = offset
    self.isEightBytes = isEightBytes
  }

  /// CAP
  public static let controllerCapabilities = ControllerProperty(offset: 0x00, isEightBytes: true)
  /// VS
  public static let version = ControllerProperty(offset: 0x08, isEightBytes: false)
  /// CC
  public static let controllerConfiguration = ControllerProperty(offset: 0x14, isEightBytes: false)
  /// CSTS
  public static let controllerStatus = ControllerProperty(offset: 0x1C, isEightBytes: false)
  /// NSSR
  public static let subsystemReset = ControllerProperty(offset: 0x20, isEightBytes: false)
  /// CRTO
  public static let controllerReadyTimeouts = ControllerProperty(offset: 0x68, isEightBytes: false)
}
