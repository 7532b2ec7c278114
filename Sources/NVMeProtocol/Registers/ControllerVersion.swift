/// VS: the specification version a controller says it follows (NVMe Base 2.1, section 3.1.4.2, figure 37).
public struct ControllerVersion: RawRepresentable, Hashable, Sendable, Comparable, CustomStringConvertible {
  public var rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public init(major: UInt16, minor: UInt8, tertiary: UInt8 = 0) {
    rawValue = UInt32(major) << 16 | UInt32(minor) << 8 | UInt32(tertiary)
  }

  public var major: UInt16 { UInt16(rawValue >> 16) }
  public var minor: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 8) }
  public var tertiary: UInt8 { UInt8(truncatingIfNeeded: rawValue) }

  public static func < (left: ControllerVersion, right: ControllerVersion) -> Bool { left.rawValue < right.rawValue }

  public var description: String { tertiary == 0 ? "\(major).\(minor)" : "\(major).\(minor).\(tertiary)" }
}
