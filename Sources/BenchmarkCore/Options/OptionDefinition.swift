/// One row of the option table.
public struct OptionDefinition: Sendable {
  public enum Effect: Sendable {
    /// Takes a value and changes the job.
    case value(@Sendable (inout JobOptions, Substring, ValueContext) throws(OptionValueError) -> Void)
    /// Takes a value that job files may leave out.
    case optionalValue(@Sendable (inout JobOptions, Substring?) -> Void)
    /// A switch: without a value it is on.
    case flag(@Sendable (inout JobOptions, Bool) -> Void)
    /// Accepted and ignored; the note says why that is harmless.
    case ignored(note: String)
    /// Refused: ignoring it would change what is measured.
    case unsupported(why: String)
  }

  public var name: String
  public var aliases: [String]
  public var group: OptionGroup
  /// The value's form in help, such as "time" or "read|write|…"; empty for flags.
  public var syntax: String
  public var help: String
  public var effect: Effect

  /// Whether the option may stand without a value.
  public var isFlag: Bool {
    switch effect {
    case .flag: true
    case .ignored: syntax.isEmpty
    case .value, .optionalValue, .unsupported: false
    }
  }
}
