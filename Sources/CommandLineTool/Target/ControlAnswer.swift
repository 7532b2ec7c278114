import JSON

/// What a running `nvmeof target` answers to a line of standard input.
struct ControlAnswer: Hashable, Sendable {
  /// For people; may have several lines.
  var text: String
  /// The same for scripts.
  var document: JSONValue

  /// What was asked for has been done.
  static func done(_ text: String, _ members: JSONObject) -> ControlAnswer {
    var document: JSONObject = ["ok": true]
    document.merge(members)
    return ControlAnswer(text: text, document: .object(document))
  }

  /// Nothing has been done.
  static func failed(_ problem: String) -> ControlAnswer {
    ControlAnswer(text: "error: \(problem)", document: ["ok": false, "error": .string(problem)])
  }

  func show(_ format: OutputFormat) {
    if format == .json { Console.print(document, style: .line) } else { Console.print(text) }
  }
}
