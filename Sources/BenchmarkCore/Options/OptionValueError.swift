/// A value that an option cannot take; the caller adds the option's name and place.
public struct OptionValueError: Error, Sendable, Equatable {
  /// What would have been accepted, completing the sentence "expected …".
  public var expected: String

  public init(_ expected: String) {
    self.expected = expected
  }
}
