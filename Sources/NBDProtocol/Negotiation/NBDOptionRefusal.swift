/// An option that has been answered by an error; for logs.
public struct NBDOptionRefusal: Sendable, Hashable {
  public var option: NBDOption
  public var reason: String
}
