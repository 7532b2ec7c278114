/// The name of a path among all that a multipath device ever has.
public struct MultipathPathIdentifier: Sendable, Hashable, CustomStringConvertible {
  public var number: UInt64

  public var description: String { "path \(number)" }
}
