/// The target did not do what it must.
public struct ConformanceFailure: Error, CustomStringConvertible {
  public let description: String

  public init(_ description: String) {
    self.description = description
  }
}
