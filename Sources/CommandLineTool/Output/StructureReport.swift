import JSON

/// A decoded structure for people and for scripts: its fields in order, each with its text, its JSON value, and what its
/// bits mean. Made once, shown as nvme-cli users know it.
struct StructureReport: Sendable {
  struct Field: Sendable {
    var name: String
    var text: String
    var json: JSONValue
    /// Lines under the field with `--human-readable`, indentation included.
    var details: [String] = []
    /// Another text for `--human-readable`, such as "512 KiB" beside "7".
    var humanText: String?
    /// Another name in the JSON document than in the table.
    var jsonName: String?
    /// A line of the table that is not its own member of the JSON document.
    var isTextOnly = false
  }

  var title: String
  var fields: [Field] = []
  /// Members of the JSON document that the table shows elsewhere.
  var extraMembers = JSONObject()
  /// Lines after the table.
  var trailer: [String] = []
  var humanTrailer: [String]?

  init(title: String) { self.title = title }

  mutating func add(
    hex name: String, _ value: some UnsignedInteger & FixedWidthInteger, bits: [BitDescription] = [],
    note: String? = nil
  ) {
    let text = value == 0 ? "0" : "0x" + String(value, radix: 16)
    fields.append(
      Field(
        name: name, text: text, json: .integer(value), details: bits.map { $0.line(of: UInt64(clamping: value)) },
        humanText: note.map { "\(text) (\($0))" }))
  }

  mutating func add(
    decimal name: String, _ value: some UnsignedInteger & FixedWidthInteger, bits: [BitDescription] = [],
    note: String? = nil
  ) {
    fields.append(
      Field(
        name: name, text: String(value), json: .integer(value),
        details: bits.map { $0.line(of: UInt64(clamping: value)) }, humanText: note.map { "\(value) (\($0))" }))
  }

  mutating func add(text name: String, _ value: String, note: String? = nil) {
    fields.append(
      Field(name: name, text: value, json: .string(value), humanText: note.map { "\(value) (\($0))" }))
  }

  /// A field whose text is made for people, with the raw value in the JSON document.
  mutating func add(_ name: String, _ text: String, json: JSONValue, jsonName: String? = nil) {
    fields.append(Field(name: name, text: text, json: json, jsonName: jsonName))
  }

  /// The table. Names are padded to the longest, or to `nameWidth`.
  func text(isHuman: Bool = false, nameWidth: Int = 0) -> String {
    let width = fields.reduce(nameWidth) { max($0, $1.name.count) }
    var lines = [title]
    for field in fields {
      let text = isHuman ? field.humanText ?? field.text : field.text
      lines.append(field.name.padded(to: width) + " : " + text)
      guard isHuman, !field.details.isEmpty else { continue }
      lines += field.details + [""]
    }
    lines += isHuman ? humanTrailer ?? trailer : trailer
    return lines.joined(separator: "\n")
  }

  var json: JSONValue {
    var members = JSONObject(fields.filter { !$0.isTextOnly }.map { ($0.jsonName ?? $0.name, $0.json) })
    members.merge(extraMembers)
    return .object(members)
  }
}
