/// An option as it was written, with its canonical name.
public struct GivenOption: Sendable, Equatable {
  public var name: String
  /// nil for a flag without a value.
  public var value: String?
  public var location: OptionLocation

  public init(name: String, value: String?, location: OptionLocation) {
    self.name = name
    self.value = value
    self.location = location
  }
}
