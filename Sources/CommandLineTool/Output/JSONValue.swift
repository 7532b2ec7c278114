/// A JSON document. Members keep their order, so that output reads like the structure it shows and never varies;
/// integers keep all of their 128 bits.
enum JSONValue: Hashable, Sendable {
  struct Member: Hashable, Sendable {
    var name: String
    var value: JSONValue
  }

  case null
  case bool(Bool)
  case unsigned(UInt128)
  case signed(Int64)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  static func integer(_ value: some UnsignedInteger) -> JSONValue { .unsigned(UInt128(value)) }
  static func integer(_ value: Int) -> JSONValue { .signed(Int64(value)) }

  /// The value of a member; nil when this is no object, or has no such member.
  subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  /// The document, indented by two spaces a level, without a line break at its end.
  var text: String {
    var text = ""
    append(to: &text, indentation: 0)
    return text
  }

  /// The document on one line.
  var line: String {
    switch self {
    case .array(let values): "[" + values.map(\.line).joined(separator: ", ") + "]"
    case .object(let members):
      "{" + members.map { "\(JSONValue.string($0.name).text): \($0.value.line)" }.joined(separator: ", ") + "}"
    default: text
    }
  }

  private func append(to text: inout String, indentation: Int) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .unsigned(let value): text += String(value)
    case .signed(let value): text += String(value)
    // JSON has no infinities and no NaN.
    case .number(let value): text += value.isFinite ? String(value) : "null"
    case .string(let value): Self.append(string: value, to: &text)
    case .array(let values):
      Self.append(values, "[", "]", to: &text, indentation: indentation) { value, text in
        value.append(to: &text, indentation: indentation + 1)
      }
    case .object(let members):
      Self.append(members, "{", "}", to: &text, indentation: indentation) { member, text in
        Self.append(string: member.name, to: &text)
        text += ": "
        member.value.append(to: &text, indentation: indentation + 1)
      }
    }
  }

  private static func append<Element>(
    _ elements: [Element], _ open: String, _ close: String, to text: inout String, indentation: Int,
    each: (Element, inout String) -> Void
  ) {
    text += open
    for (index, element) in elements.enumerated() {
      text += index == 0 ? "\n" : ",\n"
      text += String(repeating: "  ", count: indentation + 1)
      each(element, &text)
    }
    if !elements.isEmpty { text += "\n" + String(repeating: "  ", count: indentation) }
    text += close
  }

  private static func append(string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  init(stringLiteral value: String) { self = .string(value) }
  init(booleanLiteral value: Bool) { self = .bool(value) }
  init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { Member(name: $0, value: $1) })
  }
}
