/// NBD_CMD_FLAG_*, "Command flags".
public struct NBDCommandFlags: OptionSet, Sendable, Hashable {
  public var rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  public static var forceUnitAccess: NBDCommandFlags { NBDCommandFlags(rawValue: 1 << 0) }
  public static var noHole: NBDCommandFlags { NBDCommandFlags(rawValue: 1 << 1) }
  public static var doNotFragment: NBDCommandFlags { NBDCommandFlags(rawValue: 1 << 2) }
  public static var requestOne: NBDCommandFlags { NBDCommandFlags(rawValue: 1 << 3) }
  public static var fastZero: NBDCommandFlags { NBDCommandFlags(rawValue: 1 << 4) }
  /// Of extended requests: the length is that of a payload which follows.
  public static var payloadLength: NBDCommandFlags { NBDCommandFlags(rawValue: 1 << 5) }
}
