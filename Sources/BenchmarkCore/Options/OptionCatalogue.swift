/// Every job option: fio's names, what they take and what they do here.
public enum OptionCatalogue {
  public static let definitions: [OptionDefinition] =
    targetOptions + pathOptions + accessOptions + sizeOptions + loadOptions + rateOptions + verifyOptions + orderOptions
    + reportOptions + errorOptions + acceptedOptions + unsupportedOptions

  private static let byName: [String: Int] = {
    var table: [String: Int] = [:]
    for (index, definition) in definitions.enumerated() {
      for name in [definition.name] + definition.aliases {
        precondition(table.updateValue(index, forKey: name) == nil, "two options named \(name)")
      }
    }
    return table
  }()

  /// The definition of an option by its name or an alias. Names are compared as fio does: case matters, and `-` may
  /// stand for `_`.
  public static func definition(named name: String) -> OptionDefinition? {
    if let index = byName[name] { return definitions[index] }
    let underscored = String(name.map { $0 == "-" ? "_" : $0 })
    return byName[underscored].map { definitions[$0] }
  }

  /// The known name closest to `name`, if one is close enough to be meant.
  public static func suggestion(for name: String) -> String? {
    Spelling.closest(to: name, among: byName.keys.sorted())
  }

  /// Applies one option as written. Returns a note when the option was accepted without effect.
  public static func apply(
    _ name: String, _ value: String?, to options: inout JobOptions, _ context: ValueContext,
    at location: OptionLocation
  ) throws(OptionError) -> String? {
    guard let definition = definition(named: name) else {
      throw OptionError(.unknownOption(name: name, suggestion: suggestion(for: name)), at: location)
    }
    var note: String?
    switch definition.effect {
    case .value(let apply):
      guard let value, !value.allSatisfy(\.isWhitespace) else {
        throw OptionError(.missingValue(option: name), at: location)
      }
      do throws(OptionValueError) {
        try apply(&options, Substring(value), context)
      } catch {
        throw OptionError(.invalidValue(option: name, value: value, expected: error.expected), at: location)
      }
    case .optionalValue(let apply):
      let text = value.map { Substring($0).trimmedSpaces }
      apply(&options, text?.isEmpty == true ? nil : text)
    case .flag(let apply):
      guard let value, !value.isEmpty else {
        apply(&options, true)
        break
      }
      do throws(OptionValueError) {
        apply(&options, try ValueParser.boolean(Substring(value)))
      } catch {
        throw OptionError(.invalidValue(option: name, value: value, expected: error.expected), at: location)
      }
    case .ignored(let text):
      note = "\(location): \(definition.name) has no effect here: \(text)"
    case .unsupported(let why):
      throw OptionError(.unsupportedOption(name: definition.name, why: why), at: location)
    }
    options.given.removeAll { $0.name == definition.name }
    options.given.append(GivenOption(name: definition.name, value: value, location: location))
    return note
  }
}
