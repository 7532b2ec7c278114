/// What must never happen, and has.
public struct Violation: Error, Sendable, CustomStringConvertible {
  public var seed: UInt64
  public var milliseconds: UInt64
  public var text: String

  public var description: String { "seed \(seed), at \(milliseconds) ms: \(text)" }
}
