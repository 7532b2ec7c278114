import EmbeddedTarget
import NVMeProtocol

/// `faults add` of a running `nvmeof target`: TRIGGER ACTION, then options.
///
///     io:read status=2/0x81 blocks=100-107 count=1
///     connection reset skip=1
///     admin:keep-alive never-answer subsystem=2
struct FaultSpecification: Hashable, Sendable {
  static let triggers = "connection, initialization, admin[:OPCODE], fabrics[:TYPE] or io[:OPCODE]"
  static let actions =
    "delay=TIME, close, reset, silence, never-answer, status=TYPE/CODE[/dnr], header-digest or data-digest"
  static let options = "count=N, skip=N, probability=0…1, nsid=N, blocks=FIRST-LAST or subsystem=N"

  var trigger: FaultRule.Trigger
  var action: FaultRule.Action
  var count: UInt64?
  var skipCount: UInt64 = 0
  var probability = 1.0
  var namespaceIdentifier: UInt32?
  var blocks: ClosedRange<UInt64>?
  /// The subsystem's number in the order of `--nqn`; nil: any.
  var subsystem: Int?
  /// As it was written, for lists.
  let text: String

  /// - Throws: ``ToolError`` of kind usage that says what is wrong and what is allowed.
  init(parsing words: [Substring]) throws(ToolError) {
    guard words.count >= 2 else {
      throw .usage("write faults add TRIGGER ACTION [OPTION ...], such as: faults add io:read delay=100ms count=1")
    }
    text = words.joined(separator: " ")
    trigger = try Self.trigger(words[0])
    action = try Self.action(words[1])
    for word in words.dropFirst(2) { try apply(word) }
  }

  /// The rule for a target whose subsystem of that number has this NQN.
  func rule(subsystemNQN: String?) -> FaultRule {
    var rule = FaultRule(trigger, action, count: count)
    rule.skipCount = skipCount
    rule.probability = probability
    rule.namespaceIdentifier = namespaceIdentifier
    rule.blocks = blocks
    rule.subsystemNQN = subsystemNQN
    return rule
  }

  private static func trigger(_ word: Substring) throws(ToolError) -> FaultRule.Trigger {
    let parts = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let detail = parts.count == 2 ? parts[1] : nil
    switch (parts[0], detail) {
    case ("connection", nil): return .connection
    case ("initialization", nil): return .initialization
    case ("admin", let detail): return .adminCommand(opcode: try code(detail, AdminOpcode.self, "an admin opcode"))
    case ("io", let detail): return .ioCommand(opcode: try code(detail, IOOpcode.self, "an I/O opcode"))
    case ("fabrics", let detail):
      let code = try code(detail, FabricsCommandType.self, "a fabrics command type")
      return .fabricsCommand(code.flatMap { FabricsCommandType(rawValue: $0) })
    default: throw .usage("faults add: a trigger is \(triggers), not \(ControlCommand.quoted(word))")
    }
  }

  /// A number, or the name of a case in lower case with hyphens: 2, 0x02, read, write-zeroes.
  private static func code<Code: RawRepresentable<UInt8> & CaseIterable>(
    _ text: Substring?, _ type: Code.Type, _ what: String
  ) throws(ToolError) -> UInt8? {
    guard let text else { return nil }
    if let known = Code.allCases.first(where: { hyphenated("\($0)") == text }) { return known.rawValue }
    // Opcodes without a name can be given by number; a fabrics type without one cannot be looked for.
    if let number = number(text).flatMap({ UInt8(exactly: $0) }),
      type != FabricsCommandType.self || Code(rawValue: number) != nil
    {
      return number
    }
    let names = Code.allCases.map { hyphenated("\($0)") }.joined(separator: ", ")
    throw .usage("faults add: \(what) is a number or one of \(names), not \(ControlCommand.quoted(text))")
  }

  /// "writeZeroes" as "write-zeroes", "deleteIOQueue" as "delete-io-queue".
  static func hyphenated(_ name: String) -> String {
    let letters = Array(name)
    var result = ""
    for (index, letter) in letters.enumerated() {
      let startsWord =
        index > 0 && letter.isUppercase
        && (letters[index - 1].isLowercase || (index + 1 < letters.count && letters[index + 1].isLowercase))
      result += (startsWord ? "-" : "") + letter.lowercased()
    }
    return result
  }

  private static func action(_ word: Substring) throws(ToolError) -> FaultRule.Action {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    switch (parts[0], parts.count == 2 ? parts[1] : nil) {
    case ("close", nil): return .close
    case ("reset", nil): return .reset
    case ("silence", nil): return .silence
    case ("never-answer", nil): return .neverAnswer
    case ("header-digest", nil): return .corruptHeaderDigest
    case ("data-digest", nil): return .corruptDataDigest
    case ("delay", let time?): return .delay(nanoseconds: try nanoseconds(time))
    case ("status", let status?): return .status(try self.status(status))
    default: throw .usage("faults add: an action is \(actions), not \(ControlCommand.quoted(word))")
    }
  }

  private static func nanoseconds(_ text: Substring) throws(ToolError) -> UInt64 {
    let units: [(String, UInt64)] = [("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000)]
    // "us" and "ms" also end with "s", so they are looked for first.
    guard let unit = units.first(where: { text.hasSuffix($0.0) }), let count = number(text.dropLast(unit.0.count)),
      count <= 86_400_000_000_000 / unit.1
    else {
      throw .usage(
        "faults add: a delay is such as 500us, 20ms or 3s, a day at most, not \(ControlCommand.quoted(text))")
    }
    return count * unit.1
  }

  private static func status(_ text: Substring) throws(ToolError) -> StatusField {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), let type = number(parts[0]), type <= 7, let code = number(parts[1]),
      code <= 0xFF, type != 0 || code != 0, parts.count == 2 || parts[2] == "dnr"
    else {
      throw .usage(
        "faults add: a status is TYPE/CODE with a type of 0 to 7 and a code of 0 to 0xFF, not both 0, and /dnr where "
          + "it must not be tried again, such as status=2/0x81, not \(ControlCommand.quoted(text))")
    }
    return StatusField(StatusCodeType(rawValue: UInt8(type)), UInt8(code), doNotRetry: parts.count == 3)
  }

  private mutating func apply(_ word: Substring) throws(ToolError) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let value = parts.count == 2 ? parts[1] : ""
    let problem = ToolError.usage("faults add: an option is \(Self.options), not \(ControlCommand.quoted(word))")
    switch (parts[0], Self.number(value)) {
    case ("count", let number?) where number > 0: count = number
    case ("skip", let number?): skipCount = number
    case ("nsid", let number?) where (1...0xFFFF_FFFF).contains(number): namespaceIdentifier = UInt32(number)
    case ("subsystem", let number?) where (1...65_535).contains(number): subsystem = Int(number)
    case ("probability", _):
      guard let share = Double(value), (0...1).contains(share) else { throw problem }
      probability = share
    case ("blocks", _):
      let ends = value.split(separator: "-", omittingEmptySubsequences: false).compactMap { Self.number($0) }
      guard ends.count == 2, ends[0] <= ends[1] else { throw problem }
      blocks = ends[0]...ends[1]
    default: throw problem
    }
  }

  /// Decimal, or hexadecimal after 0x.
  private static func number(_ text: Substring) -> UInt64? {
    if text.hasPrefix("0x") {
      return text.dropFirst(2).first?.isHexDigit == true ? UInt64(text.dropFirst(2), radix: 16) : nil
    }
    return text.first?.isNumber == true ? UInt64(text) : nil
  }
}
