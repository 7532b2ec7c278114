/// Asymmetric namespace access state, 4 bits (NVMe Base 2.1, section 8.1.1).
public struct ANAState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue & 0xF }

  public static let optimized = ANAState(rawValue: 0x1)
  public static let nonOptimized = ANAState(rawValue: 0x2)
  public static let inaccessible = ANAState(rawValue: 0x3)
  public static let persistentLoss = ANAState(rawValue: 0x4)
  public static let change = ANAState(rawValue: 0xF)

  /// Commands to the group's namespaces can succeed through this controller.
  public var isAccessible: Bool { self == .optimized || self == .nonOptimized }

  public var description: String {
    switch self {
    case .optimized: "optimized"
    case .nonOptimized: "non-optimized"
    case .inaccessible: "inaccessible"
    case .persistentLoss: "persistent-loss"
    case .change: "change"
    default: "reserved ANA state \(rawValue)"
    }
  }
}
