/// A page of metrics in Prometheus' text format, while it is written.
struct MetricsPage {
  enum Kind: String { case counter, gauge }

  private(set) var text = ""
  private var name = ""

  /// Begins a family: its samples follow.
  mutating func family(_ name: String, _ kind: Kind, _ help: String) {
    self.name = name
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
  }

  mutating func sample(_ value: UInt64, _ labels: KeyValuePairs<String, String> = [:]) { add("\(value)", labels) }

  mutating func sample(_ value: Double, _ labels: KeyValuePairs<String, String> = [:]) { add("\(value)", labels) }

  private mutating func add(_ value: String, _ labels: KeyValuePairs<String, String>) {
    let list = labels.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
    text += list.isEmpty ? "\(name) \(value)\n" : "\(name){\(list)} \(value)\n"
  }

  private static func escaped(_ value: String) -> String {
    var text = ""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
