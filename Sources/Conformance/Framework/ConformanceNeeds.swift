/// What a case must have to run; without it, the case is skipped with a reason.
public struct ConformanceNeeds: OptionSet, Sendable, Hashable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// The case overwrites the namespaces under test.
  public static let destructive = ConformanceNeeds(rawValue: 1 << 0)
  /// The case changes the target while it uses it: a ``TargetControl``.
  public static let control = ConformanceNeeds(rawValue: 1 << 1)
  /// The case connects through a second port of the subsystem.
  public static let secondPort = ConformanceNeeds(rawValue: 1 << 2)
}
