/// Results as JUnit XML, in the dialect that continuous integration services read.
public enum JUnitReport {
  public static func text(_ results: [ConformanceResult], target: String) -> String {
    let failures = results.count { $0.isFailure }
    let skipped = results.count {
      if case .skipped = $0.outcome { return true }
      return false
    }
    let seconds = results.reduce(0) { $0 + $1.seconds }
    let counts = "tests=\"\(results.count)\" failures=\"\(failures)\" errors=\"0\" skipped=\"\(skipped)\" "
    let totals = counts + "time=\"\(decimal(seconds))\""
    var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites \(totals)>\n"
    text += "  <testsuite name=\"nvmeof-conformance\" \(totals)>\n"
    text += "    <properties><property name=\"target\" value=\"\(escaped(target))\"/></properties>\n"
    for result in results { text += testCase(result) }
    return text + "  </testsuite>\n</testsuites>\n"
  }

  private static func testCase(_ result: ConformanceResult) -> String {
    let group = result.identifier.split(separator: ".").first.map(String.init) ?? result.identifier
    var text = "    <testcase classname=\"nvmeof-conformance.\(escaped(group))\" "
    text += "name=\"\(escaped(result.identifier + ": " + result.title))\" time=\"\(decimal(result.seconds))\">\n"
    switch result.outcome {
    case .passed: break
    case .failed(let message):
      text += "      <failure message=\"\(escaped(message))\">\(escaped(message))</failure>\n"
    case .skipped(let reason):
      text += "      <skipped message=\"\(escaped(reason))\"/>\n"
    }
    let lines = result.deviations.map { "deviation: " + $0 } + result.notes
    if !lines.isEmpty {
      text += "      <system-out>\(escaped(lines.joined(separator: "\n")))</system-out>\n"
    }
    return text + "    </testcase>\n"
  }

  /// Three decimals, never in scientific notation.
  private static func decimal(_ seconds: Double) -> String {
    let milliseconds = Int(max(0, seconds) * 1000)
    let fraction = String(milliseconds % 1000)
    return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
  }

  /// Text for content and attributes alike. Characters that XML 1.0 cannot have (section 2.2) become U+FFFD.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\n": result += "&#10;"
      case "\t": result += "&#9;"
      case "\r": result += "&#13;"
      default:
        let isAllowed = scalar.value >= 0x20 && scalar.value != 0xFFFE && scalar.value != 0xFFFF
        result.unicodeScalars.append(isAllowed ? scalar : "\u{FFFD}")
      }
    }
    return result
  }
}
