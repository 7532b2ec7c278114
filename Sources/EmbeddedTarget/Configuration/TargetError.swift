/// Why the target could not do what it was asked to by its owner (not by a host).
public struct TargetError: Error, Hashable, Sendable, CustomStringConvertible {
  public var description: String
  /// The operating system has refused it: nothing is wrong with what was asked for.
  public var isSystemFailure: Bool

  init(_ description: String, isSystemFailure: Bool = false) {
    self.description = description
    self.isSystemFailure = isSystemFailure
  }
}
