/// Results as Test Anything Protocol, version 14.
public enum TAPReport {
  public static func text(_ results: [ConformanceResult], target: String) -> String {
    var text = "TAP version 14\n# target: \(comment(target))\n1..\(results.count)\n"
    for (index, result) in results.enumerated() {
      text += testPoint(result, number: index + 1)
    }
    return text
  }

  /// One test point with its diagnostics.
  static func testPoint(_ result: ConformanceResult, number: Int) -> String {
    let label = "\(number) - \(description(result.identifier + ": " + result.title))"
    var text: String
    var message: String?
    switch result.outcome {
    case .passed: text = "ok \(label)\n"
    case .skipped(let reason): text = "ok \(label) # SKIP \(comment(reason))\n"
    case .failed(let reason):
      text = "not ok \(label)\n"
      message = reason
    }
    text += "  ---\n"
    if let message { text += "  message: \(quoted(message))\n  severity: fail\n" }
    text += "  duration_ms: \(Double(Int(result.seconds * 1e6)) / 1e3)\n"
    for (key, lines) in [("deviations", result.deviations), ("notes", result.notes)] where !lines.isEmpty {
      text += "  \(key):\n"
      for line in lines { text += "    - \(quoted(line))\n" }
    }
    return text + "  ...\n"
  }

  /// A description: one line, in which a number sign would begin a directive.
  private static func description(_ text: String) -> String {
    var result = ""
    for character in comment(text) {
      if character == "#" || character == "\\" { result += "\\" }
      result.append(character)
    }
    return result
  }

  private static func comment(_ text: String) -> String {
    String(text.map { $0.isNewline ? " " : $0 })
  }

  /// A double-quoted YAML scalar.
  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      default:
        if scalar.value < 0x20 || scalar.value == 0x7F {
          let digits = String(scalar.value, radix: 16)
          result += "\\x" + (digits.count < 2 ? "0" : "") + digits
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result + "\""
  }
}
