/// When a method may be called.
public struct RPCPhase: OptionSet, Sendable, Hashable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Before `framework_start_init` has ended.
  public static let startup = RPCPhase(rawValue: 1)
  /// From then on.
  public static let runTime = RPCPhase(rawValue: 2)
  public static let both: RPCPhase = [.startup, .runTime]
}
