/// An export as a client may see it.
public struct NBDExportDescription: Sendable, Hashable {
  public var name: String
  /// For people; may be empty.
  public var description: String
  public var limits: NBDExportLimits

  public init(name: String, description: String, limits: NBDExportLimits) {
    self.name = name
    self.description = description
    self.limits = limits
  }
}
