import Foundation
import JSON
import Testing
import ToolSupport

@testable import CommandLineTool

@Suite struct OutputTests {
  @Test func jsonIsValidAndKeepsItsOrder() throws {
    let value: JSONValue = [
      "z": "quote \" back \\ line\n tab\t bell\u{7} ü", "a": [.integer(-1), .integer(UInt128.max), true, .null],
      "n": .double(.infinity), "empty": [], "none": [:],
    ]
    #expect(
      JSONWriter.text(of: value, style: .indented) == """
        {
          "z": "quote \\" back \\\\ line\\n tab\\t bell\\u0007 ü",
          "a": [
            -1,
            340282366920938463463374607431768211455,
            true,
            null
          ],
          "n": null,
          "empty": [],
          "none": {}
        }
        """)
    for style in [JSONWriter.Style.indented, .line] {
      let text = JSONWriter.text(of: value, style: style)
      _ = try JSONSerialization.jsonObject(with: Data(text.utf8))
      #expect(text.contains("\n") == (style == .indented))
    }
  }

  @Test func hexdump() {
    #expect(
      Hexdump.text(Array("0123456789abcdefZ\n".utf8), base: 0x1000) == """
               0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f
        1000: 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 "0123456789abcdef"
        1010: 5a 0a                                           "Z."
        """)
    #expect(
      Hexdump.text([0], base: 0x12_3456).hasSuffix("123456: 00                                              \".\""))
    // Up to the last byte that has a number.
    #expect(
      Hexdump.text([1, 2, 3, 4], base: .max - 3) == """
                           0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f
        fffffffffffffffc: 01 02 03 04                                     "...."
        """)
  }

  @Test(
    arguments: [
      (0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (1536, "1.50 KiB"), (64 << 20, "64.0 MiB"),
      (UInt64.max, "16.0 EiB"),
    ] as [(UInt64, String)])
  func binarySizes(_ count: UInt64, _ text: String) { #expect(ByteText.binary(count) == text) }

  @Test(
    arguments: [
      (0.0, "0:00"), (7.2, "0:08"), (3723, "1:02:03"), (176_400, "2d 01:00:00"), (.infinity, "-"),
    ] as [(Double, String)])
  func durations(_ seconds: Double, _ text: String) { #expect(ByteText.duration(seconds: seconds) == text) }

  @Test(
    arguments: [
      ("0", 0), ("512", 512), ("4K", 4096), ("4k", 4096), ("1KiB", 1024), ("1kB", 1000), ("2MB", 2_000_000),
      ("64M", 64 << 20), ("1G", 1 << 30), ("3T", 3 << 40), ("0x1000", 4096), ("10b", 10),
      ("18446744073709551615", UInt64.max),
    ] as [(String, UInt64)])
  func sizes(_ text: String, _ value: UInt64) { #expect(ByteCount(text)?.value == value) }

  @Test(arguments: [
    "", "K", "-1", "1.5G", "1X", "1KK", "0x", "0xg", "18446744073709551616", "99999999999T", "1 K", "+1", "0x+1",
  ])
  func wrongSizes(_ text: String) { #expect(ByteCount(text) == nil) }

  @Test func progress() {
    var meter = ProgressMeter(verb: "copied")
    #expect(
      meter.line(seconds: 1, done: 256 << 20, total: 1 << 30)
        == "256 MiB of 1.00 GiB copied (25.0%), 256 MiB/s, ETA 0:03")
    #expect(meter.line(seconds: 2, done: 512 << 20, total: nil) == "512 MiB copied, 256 MiB/s")
    var idle = ProgressMeter(verb: "verified")
    #expect(idle.line(seconds: 1, done: 0, total: 0) == "0 B of 0 B verified (100.0%), 0 B/s, ETA -")
  }

  @Test func rateFollowsWhatHappensNow() {
    var meter = ProgressMeter(verb: "copied")
    for second in 1...100 { _ = meter.line(seconds: Double(second), done: 1 << 30, total: nil) }
    #expect(meter.line(seconds: 101, done: 1 << 30, total: nil).hasSuffix("copied, 0 B/s"))
  }
}
