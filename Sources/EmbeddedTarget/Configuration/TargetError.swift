/// Why the target could not do what it was asked to by its owner (not by a host).
public struct TargetError: Error, Hashable, Sendable, CustomStringConvertible {
  public var description: String

  init(_ description: String) { self.description = description }
}
