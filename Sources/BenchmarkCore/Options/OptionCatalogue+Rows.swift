// Short forms for the rows of the option table. `names` is the name and, after blanks, its aliases.
extension OptionCatalogue {
  typealias Apply = @Sendable (inout JobOptions, Substring, ValueContext) throws(OptionValueError) -> Void

  static func value(
    _ names: String, _ group: OptionGroup, _ syntax: String, _ help: String,
    _ apply: @escaping Apply
  ) -> OptionDefinition {
    let words = names.split(separator: " ").map(String.init)
    return OptionDefinition(
      name: words[0], aliases: Array(words.dropFirst()), group: group, syntax: syntax, help: help,
      effect: .value(apply))
  }

  static func flag(
    _ names: String, _ group: OptionGroup, _ help: String,
    _ apply: @escaping @Sendable (inout JobOptions, Bool) -> Void
  ) -> OptionDefinition {
    let words = names.split(separator: " ").map(String.init)
    return OptionDefinition(
      name: words[0], aliases: Array(words.dropFirst()), group: group, syntax: "", help: help, effect: .flag(apply))
  }

  /// A time in nanoseconds; `unit` is the length of a number without a unit.
  static func time(
    _ names: String, _ group: OptionGroup, _ help: String, unit: UInt64,
    _ path: any WritableKeyPath<JobOptions, UInt64> & Sendable
  ) -> OptionDefinition {
    value(names, group, "time", help) { options, text, _ throws(OptionValueError) in
      options[keyPath: path] = try ValueParser.nanoseconds(text, defaultUnit: unit)
    }
  }

  /// A 64-bit number with fio's suffixes.
  static func number(
    _ names: String, _ group: OptionGroup, _ syntax: String, _ help: String,
    _ path: any WritableKeyPath<JobOptions, UInt64> & Sendable
  ) -> OptionDefinition {
    value(names, group, syntax, help) { options, text, context throws(OptionValueError) in
      options[keyPath: path] = try ValueParser.size(text, context)
    }
  }

  /// A value of an enumeration by its raw name.
  static func choice<Choice: RawRepresentable & CaseIterable & Sendable>(
    _ names: String, _ group: OptionGroup, _ help: String, _ path: any WritableKeyPath<JobOptions, Choice> & Sendable
  ) -> OptionDefinition where Choice.RawValue == String {
    let choices = Choice.allCases.map(\.rawValue).joined(separator: "|")
    return value(names, group, choices, help) { options, text, _ throws(OptionValueError) in
      guard let choice = Choice(rawValue: text.trimmedSpaces.lowercased()) else { throw OptionValueError(choices) }
      options[keyPath: path] = choice
    }
  }

  static func ignored(_ names: [String], takesValue: Bool = true, _ note: String) -> [OptionDefinition] {
    names.map {
      OptionDefinition(
        name: $0, aliases: [], group: .accepted, syntax: takesValue ? "value" : "", help: note,
        effect: .ignored(note: note))
    }
  }

  static func unsupported(_ names: [String], _ why: String) -> [OptionDefinition] {
    names.map {
      OptionDefinition(
        name: $0, aliases: [], group: .accepted, syntax: "value", help: why, effect: .unsupported(why: why))
    }
  }
}
