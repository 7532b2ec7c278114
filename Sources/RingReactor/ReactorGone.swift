/// The reactor that was to do the work has been stopped.
public struct ReactorGone: Error, Equatable, CustomStringConvertible {
  public init() {}
  public var description: String { "the reactor has been stopped" }
}
