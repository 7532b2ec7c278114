/// Byte counts, rates and times for people.
enum ByteText {
  /// "512 B", "4.00 KiB", "1.50 TiB": three digits that count, powers of 1024.
  static func binary(_ count: UInt64) -> String {
    scaled(Double(count), 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
  }

  /// "1.07 GB": powers of 1000, as nvme-cli shows sizes.
  static func decimal(_ count: UInt64) -> String {
    scaled(Double(count), 1000, ["B", "kB", "MB", "GB", "TB", "PB", "EB"])
  }

  private static func scaled(_ value: Double, _ step: Double, _ units: [String]) -> String {
    var value = value
    var index = 0
    while value >= step, index < units.count - 1 {
      value /= step
      index += 1
    }
    return (index == 0 ? fixed(value, 0) : fixed(value, value < 10 ? 2 : value < 100 ? 1 : 0)) + " " + units[index]
  }

  /// A number with so many decimals, without a locale.
  static func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "-" }
    var factor: Int64 = 1
    for _ in 0..<decimals { factor *= 10 }
    let scaled = Int64((abs(value) * Double(factor)).rounded())
    let sign = value < 0 && scaled != 0 ? "-" : ""
    let whole = "\(sign)\(scaled / factor)"
    return decimals == 0 ? whole : whole + "." + String(scaled % factor).leftPadded(to: decimals, with: "0")
  }

  /// "0:07", "1:02:03", "2d 01:00:00".
  static func duration(seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "-" }
    let total = Int(seconds.rounded(.up))
    func two(_ value: Int) -> String { String(value).leftPadded(to: 2, with: "0") }
    if total >= 86_400 {
      return "\(total / 86_400)d \(two(total / 3600 % 24)):\(two(total / 60 % 60)):\(two(total % 60))"
    }
    if total >= 3600 { return "\(total / 3600):\(two(total / 60 % 60)):\(two(total % 60))" }
    return "\(total / 60):\(two(total % 60))"
  }
}
