/// An option as it was written; with its canonical name once it has been interpreted.
public struct GivenOption: Sendable, Equatable {
  public var name: String
  /// nil when written without `=`.
  public var value: String?
  public var location: OptionLocation

  public init(name: String, value: String?, location: OptionLocation) {
    self.name = name
    self.value = value
    self.location = location
  }
}
