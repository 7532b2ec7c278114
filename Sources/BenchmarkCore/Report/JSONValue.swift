/// JSON whose members keep their order, written in fio's layout.
enum JSONValue {
  case string(String)
  case integer(UInt64)
  /// Six decimals, as fio writes them.
  case number(Double)
  case object([(String, JSONValue)])
  case array([JSONValue])

  static func integer(_ value: Int) -> JSONValue { .integer(UInt64(max(0, value))) }

  func render() -> String {
    var text = ""
    write(into: &text, indent: 0)
    return text + "\n"
  }

  private func write(into text: inout String, indent: Int) {
    let inner = String(repeating: "  ", count: indent + 1)
    let outer = String(repeating: "  ", count: indent)
    switch self {
    case .string(let value): Self.quote(value, into: &text)
    case .integer(let value): text += String(value)
    case .number(let value): text += Formatting.fixed(value, 6)
    case .object(let members):
      text += "{\n"
      for (index, member) in members.enumerated() {
        text += inner
        Self.quote(member.0, into: &text)
        text += " : "
        member.1.write(into: &text, indent: indent + 1)
        text += index + 1 < members.count ? ",\n" : "\n"
      }
      text += outer + "}"
    case .array(let elements):
      text += "[\n"
      for (index, element) in elements.enumerated() {
        text += inner
        element.write(into: &text, indent: indent + 1)
        text += index + 1 < elements.count ? ",\n" : "\n"
      }
      text += outer + "]"
    }
  }

  private static func quote(_ value: String, into text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
