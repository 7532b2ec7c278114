import NBDProtocol
import TestSupport
import Testing

/// Negotiation, message by message, against bytes written by hand from doc/proto.md.
@Suite struct NegotiationTests {
  static let greeting = hexadecimal("4e42444d41474943 49484156454f5054 0003")

  /// Feeds `input` in pieces of the given sizes, repeated; takes output after each.
  static func run(
    _ input: [UInt8], policy: NBDTLSPolicy = .none, pieces: [Int] = [.max]
  ) -> (output: [UInt8], outcome: NBDNegotiationOutcome, left: Int) {
    var negotiation = NBDNegotiation(catalogue: Catalogue(), policy: policy)
    var output = negotiation.takeOutput()
    var rest = input[...]
    var outcome = NBDNegotiationOutcome.open
    var turn = 0
    while !rest.isEmpty, outcome == .open {
      let piece = Array(rest.prefix(pieces[turn % pieces.count]))
      turn += 1
      var position = 0
      repeat {
        let (taken, next) = piece[position...].withUnsafeBytes { negotiation.receive($0) }
        position += taken
        outcome = next
        output += negotiation.takeOutput()
      } while position < piece.count && outcome == .open
      rest = rest.dropFirst(position)
    }
    return (output, outcome, rest.count)
  }

  static func option(_ option: UInt32, _ data: [UInt8] = []) -> [UInt8] {
    hexadecimal("49484156454f5054") + bytes(option) + bytes(UInt32(data.count)) + data
  }

  static func reply(_ option: UInt32, _ type: UInt32, _ data: [UInt8] = []) -> [UInt8] {
    hexadecimal("0003e889045565a9") + bytes(option) + bytes(type) + bytes(UInt32(data.count)) + data
  }

  static func string(_ string: String) -> [UInt8] { bytes(UInt32(string.utf8.count)) + text(string) }

  static let fixed = bytes(3 as UInt32)
  /// Export information of "disk": size, then flags with and without DF.
  static let diskInformation = hexadecimal("0000 0000000000010000 096d")
  static let diskInformationStructured = hexadecimal("0000 0000000000010000 09ed")
  static let diskSizes = hexadecimal("0003 00000200 00001000 00004000")

  struct Exchange: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var input: [UInt8]
    var output: [UInt8]
    var outcome: NBDNegotiationOutcome
  }

  static let exchanges: [Exchange] = [
    Exchange(testDescription: "flags alone", input: fixed, output: [], outcome: .open),
    Exchange(
      testDescription: "unknown client flag", input: bytes(4 as UInt32), output: [],
      outcome: .disconnect("the client sets unknown flags")),
    Exchange(
      testDescription: "list", input: fixed + option(3),
      output: reply(3, 2, string("disk") + text("a disk")) + reply(3, 2, string("frozen")) + reply(3, 1),
      outcome: .open),
    Exchange(
      testDescription: "abort", input: fixed + option(2, [1, 2, 3]), output: reply(2, 1),
      outcome: .disconnect("the client has ended the negotiation")),
    Exchange(
      testDescription: "information", input: fixed + option(6, string("disk") + bytes(0 as UInt16)),
      output: reply(6, 3, diskInformation) + reply(6, 3, diskSizes) + reply(6, 1), outcome: .open),
    Exchange(
      testDescription: "information, all there is",
      input: fixed + option(6, string("") + hexadecimal("0005 0000 0001 0002 0003 7777")),
      output: reply(6, 3, diskInformation) + reply(6, 3, hexadecimal("0001") + text("disk"))
        + reply(6, 3, hexadecimal("0002") + text("a disk")) + reply(6, 3, diskSizes) + reply(6, 1), outcome: .open),
    Exchange(
      testDescription: "blocks of 4096 are told of unasked",
      input: fixed + option(7, string("frozen") + bytes(0 as UInt16)),
      output: reply(7, 3, hexadecimal("0000 0000010000000000 0107"))
        + reply(7, 3, hexadecimal("0003 00001000 00001000 02000000"))
        + reply(7, 1),
      outcome: .transmission(NBDSession(export: Catalogue.frozen, style: .simple))),
    Exchange(
      testDescription: "go", input: fixed + option(7, string("disk") + hexadecimal("0001 0003")),
      output: reply(7, 3, diskInformation) + reply(7, 3, diskSizes) + reply(7, 1),
      outcome: .transmission(NBDSession(export: Catalogue.disk, style: .simple))),
    Exchange(
      testDescription: "go, structured, with a context",
      input: fixed + option(8)
        + option(10, string("disk") + bytes(2 as UInt32) + string("x:y") + string("base:allocation"))
        + option(7, string("disk") + bytes(0 as UInt16)),
      output: reply(8, 1) + reply(10, 4, bytes(1 as UInt32) + text("base:allocation")) + reply(10, 1)
        + reply(7, 3, diskInformationStructured) + reply(7, 3, diskSizes) + reply(7, 1),
      outcome: .transmission(
        NBDSession(export: Catalogue.disk, style: .structured, allocationContextIdentifier: 1))),
    Exchange(
      testDescription: "a context belongs to its export",
      input: fixed + option(8) + option(10, string("frozen") + bytes(1 as UInt32) + string("base:allocation"))
        + option(7, string("disk") + bytes(0 as UInt16)),
      output: reply(8, 1) + reply(10, 4, bytes(1 as UInt32) + text("base:allocation")) + reply(10, 1)
        + reply(7, 3, diskInformationStructured) + reply(7, 3, diskSizes) + reply(7, 1),
      outcome: .transmission(NBDSession(export: Catalogue.disk, style: .structured))),
    Exchange(
      testDescription: "extended headers", input: fixed + option(11) + option(7, string("") + bytes(0 as UInt16)),
      output: reply(11, 1) + reply(7, 3, diskInformationStructured) + reply(7, 3, diskSizes) + reply(7, 1),
      outcome: .transmission(NBDSession(export: Catalogue.disk, style: .extended))),
    Exchange(
      testDescription: "export name, zeroes", input: bytes(1 as UInt32) + option(1, text("disk")),
      output: diskInformation.dropFirst(2) + [UInt8](repeating: 0, count: 124),
      outcome: .transmission(NBDSession(export: Catalogue.disk, style: .simple))),
    Exchange(
      testDescription: "export name, no zeroes, not fixed", input: bytes(2 as UInt32) + option(1),
      output: Array(diskInformation.dropFirst(2)),
      outcome: .transmission(NBDSession(export: Catalogue.disk, style: .simple))),
    Exchange(
      testDescription: "list of contexts",
      input: fixed + option(9, string("disk") + bytes(0 as UInt32))
        + option(9, string("") + bytes(1 as UInt32) + string("base:"))
        + option(9, string("disk") + bytes(1 as UInt32) + string("other:")),
      output: reply(9, 4, bytes(0 as UInt32) + text("base:allocation")) + reply(9, 1)
        + reply(9, 4, bytes(0 as UInt32) + text("base:allocation")) + reply(9, 1) + reply(9, 1), outcome: .open),
  ]

  @Test(arguments: exchanges) func golden(_ exchange: Exchange) {
    let result = Self.run(exchange.input)
    #expect(result.output == Self.greeting + exchange.output)
    #expect(result.outcome == exchange.outcome)
    #expect(result.left == 0)
  }

  @Test(arguments: exchanges) func splitInvariance(_ exchange: Exchange) {
    let whole = Self.run(exchange.input)
    for size in [1, 2, 3, 5, 7, 16, 17] {
      let split = Self.run(exchange.input, pieces: [size])
      #expect(split.output == whole.output)
      #expect(split.outcome == whole.outcome)
    }
  }

  /// What is malformed, the error that answers it, and that negotiation goes on.
  struct Malformed: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var option: UInt32
    var data: [UInt8]
    var error: NBDOptionReply
  }

  static let malformed: [Malformed] = [
    Malformed(testDescription: "list with data", option: 3, data: [0], error: .errorInvalid),
    Malformed(testDescription: "structured reply with data", option: 8, data: [0], error: .errorInvalid),
    Malformed(testDescription: "extended headers with data", option: 11, data: [0], error: .errorInvalid),
    Malformed(testDescription: "TLS with data", option: 5, data: [0], error: .errorInvalid),
    Malformed(testDescription: "TLS where there is none", option: 5, data: [], error: .errorUnsupported),
    Malformed(testDescription: "unknown option", option: 0xFFFF_FFFF, data: [1, 2], error: .errorUnsupported),
    Malformed(testDescription: "peek export", option: 4, data: [], error: .errorUnsupported),
    Malformed(testDescription: "go without data", option: 7, data: [], error: .errorInvalid),
    Malformed(
      testDescription: "go with a name beyond the data", option: 7, data: bytes(5 as UInt32) + text("disk"),
      error: .errorInvalid),
    Malformed(
      testDescription: "go with a name of 4 GiB", option: 7, data: bytes(UInt32.max) + text("disk"),
      error: .errorInvalid),
    Malformed(
      testDescription: "go without a count", option: 7, data: string("disk"), error: .errorInvalid),
    Malformed(
      testDescription: "go with too few requests", option: 7,
      data: string("disk") + bytes(2 as UInt16) + bytes(3 as UInt16),
      error: .errorInvalid),
    Malformed(
      testDescription: "go with a byte too many", option: 7, data: string("disk") + bytes(0 as UInt16) + [0],
      error: .errorInvalid),
    Malformed(
      testDescription: "go with a zero byte in the name", option: 7, data: string("di\0k") + bytes(0 as UInt16),
      error: .errorInvalid),
    Malformed(
      testDescription: "go with a name that is not UTF-8", option: 7,
      data: bytes(2 as UInt32) + [0xC3, 0x28] + bytes(0 as UInt16), error: .errorInvalid),
    Malformed(
      testDescription: "go with a name that is too long", option: 7,
      data: string(String(repeating: "x", count: 4097)) + bytes(0 as UInt16), error: .errorInvalid),
    Malformed(
      testDescription: "go to nowhere", option: 7, data: string("nowhere") + bytes(0 as UInt16), error: .errorUnknown),
    Malformed(
      testDescription: "information of nowhere", option: 6, data: string("nowhere") + bytes(0 as UInt16),
      error: .errorUnknown),
    Malformed(
      testDescription: "contexts, 4 G of queries", option: 9, data: string("disk") + bytes(UInt32.max),
      error: .errorInvalid),
    Malformed(
      testDescription: "contexts, half a query", option: 9,
      data: string("disk") + bytes(1 as UInt32) + bytes(9 as UInt32),
      error: .errorInvalid),
    Malformed(
      testDescription: "contexts, data behind", option: 9, data: string("disk") + bytes(0 as UInt32) + [0],
      error: .errorInvalid),
    Malformed(
      testDescription: "contexts of nowhere", option: 9, data: string("nowhere") + bytes(0 as UInt32),
      error: .errorUnknown),
    Malformed(
      testDescription: "a context without structured replies", option: 10,
      data: string("disk") + bytes(1 as UInt32) + string("base:allocation"), error: .errorInvalid),
    Malformed(
      testDescription: "an option of more than 64 KiB", option: 9, data: [UInt8](repeating: 0, count: 65_537),
      error: .errorTooBig),
    Malformed(
      testDescription: "an unknown option of more than 64 KiB", option: 99, data: [UInt8](repeating: 0, count: 65_537),
      error: .errorUnsupported),
  ]

  @Test(arguments: malformed) func malformedOptions(_ malformed: Malformed) {
    let abort = Self.reply(2, 1)
    let result = Self.run(Self.fixed + Self.option(malformed.option, malformed.data) + Self.option(2))
    let answer = result.output.dropFirst(Self.greeting.count)
    #expect(Array(answer.prefix(12)) == Array(Self.reply(malformed.option, 0).prefix(12)))
    #expect(Array(answer.dropFirst(12).prefix(4)) == bytes(malformed.error.rawValue))
    // With a text for people, and then the next option.
    #expect(Array(answer.suffix(abort.count)) == abort)
    #expect(answer.count > abort.count + 20)
  }

  @Test func endsAtOnce() {
    let option = Self.option(3)
    for (input, reason) in [
      (Self.fixed + [0] + option, "an option does not begin with its magic number"),
      (bytes(2 as UInt32) + option, "an option without fixed newstyle"),
      (bytes(2 as UInt32) + Self.option(9, [UInt8](repeating: 0, count: 70_000)), "an option without fixed newstyle"),
      (Self.fixed + Self.option(1, text("nowhere")), "there is no export of the name that the client gives"),
      (Self.fixed + Self.option(11) + Self.option(1, text("disk")), "NBD_OPT_EXPORT_NAME after extended headers"),
      (Self.fixed + Self.option(1, [UInt8](repeating: 65, count: 70_000)), "an export's name is too long"),
    ] {
      #expect(Self.run(input).outcome == .disconnect(reason))
    }
  }

  @Test func extendedHeadersStay() {
    let result = Self.run(Self.fixed + Self.option(11) + Self.option(8))
    let answer = result.output.dropFirst(Self.greeting.count + Self.reply(11, 1).count)
    #expect(Array(answer.dropFirst(12).prefix(4)) == bytes(NBDOptionReply.errorExtendedHeadersRequired.rawValue))
  }

  @Test func aSelectionThatFailsIsNone() {
    let select = Self.option(10, Self.string("disk") + bytes(1 as UInt32) + Self.string("base:allocation"))
    let fail = Self.option(10, Self.string("nowhere") + bytes(0 as UInt32))
    let result = Self.run(
      Self.fixed + Self.option(8) + select + fail + Self.option(7, Self.string("disk") + bytes(0 as UInt16)))
    #expect(result.outcome == .transmission(NBDSession(export: Catalogue.disk, style: .structured)))
  }

  @Test func oneOptionAtATime() {
    var negotiation = NBDNegotiation(catalogue: Catalogue())
    _ = negotiation.takeOutput()
    let input = Self.fixed + Self.option(3) + Self.option(3)
    let (taken, outcome) = input.withUnsafeBytes { negotiation.receive($0) }
    #expect(taken == 4 + 16)
    #expect(outcome == .open)
  }

  @Test func requiredTLS() {
    let go = Self.option(7, Self.string("disk") + bytes(0 as UInt16))
    let result = Self.run(Self.fixed + go + Self.option(5), policy: .required)
    #expect(result.outcome == .startTLS)
    let answer = Array(result.output.dropFirst(Self.greeting.count))
    #expect(Array(answer.dropFirst(12).prefix(4)) == bytes(NBDOptionReply.errorTLSRequired.rawValue))
    #expect(Array(answer.suffix(20)) == Self.reply(5, 1))
    #expect(Self.run(Self.fixed + Self.option(1), policy: .required).outcome == .disconnect("TLS is required"))
  }

  /// "If the server receives any other option, it MUST reply with NBD_REP_ERR_TLS_REQD": whatever it is, and however wrong.
  @Test(arguments: malformed) func requiredTLSBeforeAllElse(_ malformed: Malformed) {
    let result = Self.run(Self.fixed + Self.option(malformed.option, malformed.data), policy: .required)
    let answer = result.output.dropFirst(Self.greeting.count)
    if malformed.option == 5 {
      #expect(
        Array(answer.dropFirst(12).prefix(4))
          == bytes((malformed.data.isEmpty ? .acknowledge : malformed.error).rawValue))
    } else {
      #expect(Array(answer.dropFirst(12).prefix(4)) == bytes(NBDOptionReply.errorTLSRequired.rawValue))
      #expect(result.outcome == .open)
    }
    #expect(result.left == 0)
  }

  /// "The server MUST operate in NOTLS mode unless" both ends have fixed newstyle.
  @Test(arguments: [NBDTLSPolicy.offered, .required]) func noTLSWithoutFixedNewstyle(_ policy: NBDTLSPolicy) {
    for option in [3, 5, 7] as [UInt32] {
      let result = Self.run(bytes(2 as UInt32) + Self.option(option), policy: policy)
      #expect(result.outcome == .disconnect("an option without fixed newstyle"))
      #expect(result.output == Self.greeting)
    }
  }

  /// What comes behind the request is left to whoever does the handshake, wherever the input is cut.
  @Test(arguments: [1, 7, 16, .max]) func nothingBehindTheRequestForTLSIsTaken(_ size: Int) {
    let slipped = Self.option(8) + Self.option(3)
    let result = Self.run(Self.fixed + Self.option(5) + slipped, policy: .required, pieces: [size])
    #expect(result.outcome == .startTLS)
    #expect(result.output == Self.greeting + Self.reply(5, 1))
    #expect(result.left == slipped.count)
  }

  @Test func allBeginsAnewWithTLS() {
    var negotiation = NBDNegotiation(catalogue: Catalogue(), policy: .offered)
    _ = negotiation.takeOutput()
    let before = Self.fixed + Self.option(8) + Self.option(5)
    var rest = before[...]
    while !rest.isEmpty {
      rest = rest.dropFirst(rest.withUnsafeBytes { negotiation.receive($0) }.taken)
      _ = negotiation.takeOutput()
    }
    negotiation.becameSecure()
    let after = Self.option(5) + Self.option(7, Self.string("disk") + bytes(0 as UInt16))
    let (taken, _) = after.withUnsafeBytes { negotiation.receive($0) }
    #expect(Array(negotiation.takeOutput().dropFirst(12).prefix(4)) == bytes(NBDOptionReply.errorInvalid.rawValue))
    let (_, outcome) = after[taken...].withUnsafeBytes { negotiation.receive($0) }
    #expect(outcome == .transmission(NBDSession(export: Catalogue.disk, style: .simple)))
  }
}
