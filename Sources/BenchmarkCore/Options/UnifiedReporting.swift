/// fio's `unified_rw_reporting`: whether directions are reported apart, summed, or both.
public enum UnifiedReporting: Sendable, Equatable {
  case separate
  case mixed
  case both

  static func parse(_ text: Substring) throws(OptionValueError) -> UnifiedReporting {
    switch text.trimmedSpaces.lowercased() {
    case "none", "0": return .separate
    case "mixed", "1": return .mixed
    case "both", "2": return .both
    default: throw OptionValueError("none, mixed or both")
    }
  }
}
