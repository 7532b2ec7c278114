import Testing

@testable import BenchmarkCore

@Suite struct ValueParserTests {
  @Test(
    arguments: [
      ("4096", 4096), ("4k", 4096), ("4K", 4096), ("4kb", 4096), ("4kB", 4096), ("1m", 1 << 20), ("1g", 1 << 30),
      ("2t", 2 << 40), ("1p", 1 << 50), ("4ki", 4000), ("1mib", 1_000_000), ("0x1000", 4096), ("1.5k", 1536),
      ("512b", 512), (" 8k ", 8192), ("0", 0),
    ] as [(String, UInt64)])
  func sizesByDefault(_ text: String, _ expected: UInt64) throws {
    #expect(try ValueParser.size(Substring(text)) == expected)
  }

  @Test(arguments: [("4k", 4000), ("4ki", 4096), ("1MiB", 1 << 20), ("1M", 1_000_000)] as [(String, UInt64)])
  func sizesWithInternationalPrefixes(_ text: String, _ expected: UInt64) throws {
    #expect(try ValueParser.size(Substring(text), ValueContext(kilobyteBase: 1000)) == expected)
  }

  @Test(arguments: ["", "k", "4z", "-1", "4kk", "1e3", "0x", "0xzz", "99999999999999999999", "20000000p", "4i", "1..2"])
  func badSizes(_ text: String) {
    #expect(throws: OptionValueError.self) { try ValueParser.size(Substring(text)) }
  }

  @Test(
    arguments: [
      ("5", 1_000_000_000, 5_000_000_000), ("5s", 1, 5_000_000_000), ("200ms", 1, 200_000_000),
      ("50us", 1, 50_000), ("50usec", 1, 50_000), ("2m", 1, 120_000_000_000), ("1h", 1, 3_600_000_000_000),
      ("1d", 1, 86_400_000_000_000), ("0.5s", 1, 500_000_000), ("7", 1000, 7000), ("9ns", 1, 9),
    ] as [(String, UInt64, UInt64)])
  func times(_ text: String, _ unit: UInt64, _ expected: UInt64) throws {
    #expect(try ValueParser.nanoseconds(Substring(text), defaultUnit: unit) == expected)
  }

  @Test(arguments: ["", "s", "5x", "5 5", "99999999999d"])
  func badTimes(_ text: String) {
    #expect(throws: OptionValueError.self) { try ValueParser.nanoseconds(Substring(text), defaultUnit: 1) }
  }

  @Test func percentages() throws {
    let context = ValueContext()
    #expect(try ValueParser.sizeOrPercent("25%", context) == .percent(25))
    #expect(try ValueParser.sizeOrPercent("25%", context).bytes(of: 1 << 30) == 1 << 28)
    #expect(try ValueParser.sizeOrPercent("100%", context).bytes(of: .max) == .max)
    #expect(try ValueParser.sizeOrPercent("1m", context) == .bytes(1 << 20))
    #expect(throws: OptionValueError.self) { try ValueParser.sizeOrPercent("101%", context) }
    #expect(throws: OptionValueError.self) { try ValueParser.sizeOrPercent("x%", context) }
  }

  /// The table of fio's manual under `blocksize`, with 1 for the default.
  @Test(
    arguments: [
      ("256", [256, 256, 256]), ("8,32", [8, 32, 32]), ("8,32,", [8, 32, 1]), (",8", [1, 8, 8]), (",8,", [1, 8, 1]),
      ("1,2,3", [1, 2, 3]),
    ] as [(String, [UInt64])])
  func directions(_ text: String, _ expected: [UInt64]) throws {
    let result = try ValueParser.perDirection(Substring(text), default: PerDirection<UInt64>(all: 1)) {
      part throws(OptionValueError) in try ValueParser.size(part)
    }
    #expect([result.read, result.write, result.trim] == expected)
  }

  @Test func tooManyDirections() {
    #expect(throws: OptionValueError.self) {
      try ValueParser.perDirection("1,2,3,4", default: PerDirection<UInt64>(all: 1)) {
        part throws(OptionValueError) in try ValueParser.size(part)
      }
    }
  }

  @Test(
    arguments: [
      ("0xdeadbeef", [0xde, 0xad, 0xbe, 0xef]), ("0xabc", [0x0a, 0xbc]), ("\"ab\"", [0x61, 0x62]),
      ("255", [0xff]), ("258", [2, 1]), ("0xff\"a\"7", [0xff, 0x61, 7]),
    ] as [(String, [UInt8])])
  func patterns(_ text: String, _ expected: [UInt8]) throws {
    #expect(try PatternParser.parse(Substring(text)) == expected)
  }

  @Test(arguments: ["", "\"open", "0x", "99999999999999", "xyz", "--"])
  func badPatterns(_ text: String) {
    #expect(throws: OptionValueError.self) { try PatternParser.parse(Substring(text)) }
  }
}
