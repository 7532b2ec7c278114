internal import Glibc

/// Numbers the way fio prints them.
enum Formatting {
  /// `value` with a fixed number of decimals.
  static func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite else { return decimals > 0 ? "0." + String(repeating: "0", count: decimals) : "0" }
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 400) { buffer in
      guard let start = buffer.baseAddress else { return "" }
      let length = withVaList([Int32(decimals), value]) { vsnprintf(start, 400, "%.*f", $0) }
      return length > 0 && length < 400 ? String(cString: start) : String(value)
    }
  }

  static func padded(_ text: String, _ width: Int) -> String {
    text.utf8.count >= width ? text : String(repeating: " ", count: width - text.utf8.count) + text
  }

  enum Prefixes {
    /// k, M, G by thousands.
    case decimal
    /// Ki, Mi, Gi by 1024.
    case binary
  }

  /// `value` in at most `figures` figures with the smallest prefix that makes it fit: 11517 in four figures is 11.5k.
  static func scaled(_ value: UInt64, figures: Int, _ prefixes: Prefixes, unit: String = "") -> String {
    let names = prefixes == .decimal ? ["", "k", "M", "G", "T", "P", "E"] : ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
    let base: UInt64 = prefixes == .decimal ? 1000 : 1024
    var whole = value
    var rest: UInt64 = 0
    var index = 0
    while String(whole).utf8.count > figures, index + 1 < names.count {
      rest = whole % base
      whole /= base
      index += 1
    }
    var text = String(whole)
    // One figure is the decimal point's; a point without a figure behind it is left out.
    let decimals = index == 0 ? 0 : figures - text.utf8.count - 1
    if decimals > 0 {
      text = fixed(Double(whole) + Double(rest) / Double(base), decimals)
    } else if rest >= base / 2, index > 0 {
      text = String(whole + 1)
    }
    return text + names[index] + unit
  }

  /// A bandwidth or an amount in powers of 1024.
  static func binaryBytes(_ value: UInt64, figures: Int = 4) -> String {
    scaled(value, figures: figures, .binary, unit: "B")
  }

  /// A bandwidth or an amount in powers of 1000.
  static func decimalBytes(_ value: UInt64, figures: Int = 4) -> String {
    scaled(value, figures: figures, .decimal, unit: "B")
  }

  /// As ctime(3) without the line's end.
  static func date(_ seconds: Int) -> String {
    var time = time_t(seconds)
    var parts = tm()
    localtime_r(&time, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      guard let start = buffer.baseAddress, strftime(start, 64, "%a %b %e %H:%M:%S %Y", &parts) > 0 else { return "" }
      return String(cString: start)
    }
  }

  /// Rounds to the nearest whole number; saturates.
  static func whole(_ value: Double) -> UInt64 {
    value.isFinite && value > 0 ? (value < 1.8e19 ? UInt64(value.rounded()) : UInt64.max) : 0
  }
}
