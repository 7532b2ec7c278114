/// NBD_FLAG_*, "Transmission flags": what a client may ask of an export.
public struct NBDTransmissionFlags: OptionSet, Sendable, Hashable {
  public var rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  public static var hasFlags: NBDTransmissionFlags { NBDTransmissionFlags(rawValue: 1 << 0) }
  public static var readOnly: NBDTransmissionFlags { NBDTransmissionFlags(rawValue: 1 << 1) }
  public static var sendFlush: NBDTransmissionFlags { NBDTransmissionFlags(rawValue: 1 << 2) }
  public static var sendForceUnitAccess: NBDTransmissionFlags { NBDTransmissionFlags(rawValue: 1 << 3) }
  public static var rotational: NBDTransmissionFlags { NBDTransmissionFlags(rawValue: 1 << 4) }
  public static var sendTrim: NBDTransmissionFlags { NBDTransmissionFlags(rawValue: 1 << 5) }
  public static var sendWriteZeroes: NBDTransmissionFlags { NBDTransmissionFlags(rawValue: 1 << 6) }
  public static var sendDoNotFragment: NBDTransmissionFlags { NBDTransmissionFlags(rawValue: 1 << 7) }
  public static var canMultiConnect: NBDTransmissionFlags { NBDTransmissionFlags(rawValue: 1 << 8) }
  public static var sendResize: NBDTransmissionFlags { NBDTransmissionFlags(rawValue: 1 << 9) }
  public static var sendCache: NBDTransmissionFlags { NBDTransmissionFlags(rawValue: 1 << 10) }
  public static var sendFastZero: NBDTransmissionFlags { NBDTransmissionFlags(rawValue: 1 << 11) }
}
