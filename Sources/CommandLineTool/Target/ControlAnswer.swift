/// What a running `nvmeof target` answers to a line of standard input.
struct ControlAnswer: Hashable, Sendable {
  /// For people; may have several lines.
  var text: String
  /// The same for scripts.
  var document: JSONValue

  /// What was asked for has been done.
  static func done(_ text: String, _ members: [JSONValue.Member]) -> ControlAnswer {
    ControlAnswer(text: text, document: .object([JSONValue.Member(name: "ok", value: true)] + members))
  }

  /// Nothing has been done.
  static func failed(_ problem: String) -> ControlAnswer {
    ControlAnswer(text: "error: \(problem)", document: ["ok": false, "error": .string(problem)])
  }

  func show(_ format: OutputFormat) { Console.print(format == .json ? document.line : text) }
}
