import JSON
import Testing

struct JSONNumberTests {
  @Test(arguments: [
    ("0", 0), ("-0", 0), ("7", 7), ("-7", -7), ("1.0", 1), ("1e1", 10), ("1.50e1", 15), ("100e-2", 1),
    ("0e99999999999999999999", 0), ("0e-9223372036854775808", 0), ("0.0e-9223372036854775807", 0),
    ("0.000e5", 0), ("-1.20e+2", -120), ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min),
    ("922337203685477580.7e1", Int64.max),
  ])
  func wholeNumbersAreExact(text: String, value: Int64) throws {
    #expect(try JSONParser.value(of: text).integerValue(Int64.self) == value)
  }

  @Test(arguments: [
    "0.5", "1e-1", "1.25e1", "9223372036854775808", "-9223372036854775809", "1e19", "1e400", "1e99999999999999999999",
    "123456789012345678901234567890", "1e-9223372036854775808", "1.0e-9223372036854775807", "1.0e-9223372036854775808",
    "1e9223372036854775807",
  ])
  func whatIsNotWholeOrDoesNotFitIsNone(text: String) throws {
    #expect(try JSONParser.value(of: text).integerValue(Int64.self) == nil)
  }

  @Test(arguments: [
    "0.000000", "-0.500000", "12.340000", "7", "-0", "1e+16", "340282366920938463463374607431768211455",
  ])
  func aNumbersTextIsKept(text: String) {
    #expect(JSONNumber(text: text)?.text == text)
  }

  @Test(arguments: ["", "nan", "inf", " 1", "1 ", "01", "+1", "1.", ".5", "null", "\"1\"", "1,2"])
  func whatIsNoNumberIsNone(text: String) { #expect(JSONNumber(text: text) == nil) }

  @Test func unsignedRangeIsWhole() throws {
    #expect(try JSONParser.value(of: "18446744073709551615").integerValue(UInt64.self) == .max)
    #expect(try JSONParser.value(of: "18446744073709551616").integerValue(UInt64.self) == nil)
    #expect(try JSONParser.value(of: "1.8446744073709551615e19").integerValue(UInt64.self) == .max)
    #expect(try JSONParser.value(of: "-1").integerValue(UInt64.self) == nil)
    #expect(try JSONParser.value(of: "256").integerValue(UInt8.self) == nil)
    #expect(JSONValue.integer(UInt64.max) == (try JSONParser.value(of: "18446744073709551615")))
    #expect(JSONValue.integer(Int64.min).description == "-9223372036854775808")
  }

  @Test(arguments: [
    "-0", "1.0", "1E5", "1e400", "0.10", "18446744073709551615", "123456789012345678901234567890",
    "-9223372036854775808",
  ])
  func theTextIsKept(text: String) throws {
    #expect(try JSONParser.value(of: text).description == text)
  }

  @Test func doublesAreWrittenShort() {
    #expect(JSONValue.double(0.1).description == "0.1")
    #expect(JSONValue.double(3).description == "3")
    #expect(JSONValue.double(-0.0).description == "-0.0")
    #expect(JSONValue.double(1e300).description == "1e+300")
    #expect(JSONValue.double(.infinity) == .null)
    #expect(JSONValue.double(.nan) == .null)
  }
}
