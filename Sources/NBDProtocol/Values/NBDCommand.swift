/// NBD_CMD_*, "Request types". A client may send any number.
public struct NBDCommand: RawRepresentable, Sendable, Hashable {
  public var rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  public static var read: NBDCommand { NBDCommand(rawValue: 0) }
  public static var write: NBDCommand { NBDCommand(rawValue: 1) }
  public static var disconnect: NBDCommand { NBDCommand(rawValue: 2) }
  public static var flush: NBDCommand { NBDCommand(rawValue: 3) }
  public static var trim: NBDCommand { NBDCommand(rawValue: 4) }
  public static var cache: NBDCommand { NBDCommand(rawValue: 5) }
  public static var writeZeroes: NBDCommand { NBDCommand(rawValue: 6) }
  public static var blockStatus: NBDCommand { NBDCommand(rawValue: 7) }
  /// Of the RESIZE extension, which nobody negotiates: answered as unknown.
  public static var resize: NBDCommand { NBDCommand(rawValue: 8) }
}
