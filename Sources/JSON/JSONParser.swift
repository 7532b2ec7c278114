/// Parses JSON values one after the other from bytes that come in pieces (RFC 8259, strict).
///
/// Sans-I/O: ``parse(_:)`` takes bytes and stops behind each complete value. What is wrong is told at the byte where it
/// is wrong, however the bytes were split; after an error the parser takes no more. No recursion: depth costs no stack.
public struct JSONParser: Sendable {
  /// What became of the bytes given.
  public enum Step: Sendable, Hashable {
    /// All of them are taken, and none completed a value.
    case needsMore
    /// A value was completed by the first `consumedByteCount` of them; the rest is to be given again.
    case value(JSONValue, consumedByteCount: Int)
    case failed(JSONError)
  }

  /// What may come next.
  private enum State: Sendable {
    case value
    /// Behind `[`: a value or `]`.
    case firstElement
    /// Behind `{`: a key or `}`.
    case firstKey
    /// Behind `,` in an object.
    case key
    case colon
    /// Behind a value within an array or object.
    case comma
    case string
    case escape
    /// Within `\uXXXX`, so many digits to come.
    case hexadecimal(remaining: Int)
    case number(NumberState)
    case literal
    case failed(JSONError)
  }

  private enum NumberState: Sendable {
    case minus, zero, integer, point, fraction, exponent, exponentSign, exponentDigits

    /// Whether the number may end here.
    var isComplete: Bool {
      switch self {
      case .zero, .integer, .fraction, .exponentDigits: true
      case .minus, .point, .exponent, .exponentSign: false
      }
    }

    /// The state behind one more byte; nil when it does not belong to the number.
    func next(_ byte: UInt8) -> NumberState? {
      let isDigit = (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      switch (self, byte) {
      case (.minus, UInt8(ascii: "0")): return .zero
      case (.minus, _): return isDigit ? .integer : nil
      case (.integer, _) where isDigit: return .integer
      case (.zero, UInt8(ascii: ".")), (.integer, UInt8(ascii: ".")): return .point
      case (.zero, UInt8(ascii: "e")), (.zero, UInt8(ascii: "E")), (.integer, UInt8(ascii: "e")),
        (.integer, UInt8(ascii: "E")), (.fraction, UInt8(ascii: "e")), (.fraction, UInt8(ascii: "E")):
        return .exponent
      case (.point, _), (.fraction, _): return isDigit ? .fraction : nil
      case (.exponent, UInt8(ascii: "+")), (.exponent, UInt8(ascii: "-")): return .exponentSign
      case (.exponent, _), (.exponentSign, _), (.exponentDigits, _): return isDigit ? .exponentDigits : nil
      default: return nil
      }
    }
  }

  /// An array or object that is not complete yet.
  private struct Container: Sendable {
    var isObject: Bool
    var elements: [JSONValue] = []
    var members: [JSONObject.Member] = []
    /// The key whose value comes next.
    var key = ""
  }

  public let limits: JSONLimits
  private var state = State.value
  private var containers: [Container] = []
  /// The bytes of the string, number or literal at hand.
  private var token: [UInt8] = []
  /// Whether the string at hand is a key.
  private var isKey = false
  private var codeUnit: UInt32 = 0
  /// The first half of a surrogate pair, which the other one must follow.
  private var highSurrogate: UInt32 = 0
  private var literal = StaticString("true")
  /// Bytes of the value at hand, white space in front of it not counted.
  private var byteCount = 0
  private var valueCount = 0
  /// ``memoryByteCount`` of the latest value that was completed.
  public private(set) var completedMemoryByteCount = 0
  /// About what a value takes beside its text.
  private static let valueByteCount = 64

  public init(limits: JSONLimits = JSONLimits()) { self.limits = limits }

  /// True when no value has been begun: the text may end here.
  public var isBetweenValues: Bool { byteCount == 0 }

  /// About how much memory there is of the value at hand, in bytes.
  public var memoryByteCount: Int { byteCount + valueCount * Self.valueByteCount }

  /// Takes bytes up to the end of the next value.
  public mutating func parse(_ bytes: UnsafeRawBufferPointer) -> Step {
    if case .failed(let error) = state { return .failed(error) }
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      if byteCount == 0 && Self.isSpace(byte) {
        index += 1
        continue
      }
      // A number ends by what comes behind it; within a container that byte is looked at again.
      if case .number(let number) = state {
        if let next = number.next(byte) {
          if byteCount >= limits.maximumByteCount { return fail(.tooLong(maximumByteCount: limits.maximumByteCount)) }
          state = .number(next)
          token.append(byte)
        } else if number.isComplete {
          if let value = endNumber() { return .value(value, consumedByteCount: index) }
          continue
        } else {
          return fail(.unexpectedByte(byte))
        }
      } else {
        if byteCount >= limits.maximumByteCount { return fail(.tooLong(maximumByteCount: limits.maximumByteCount)) }
        do throws(JSONError) {
          if let value = try take(byte) { return .value(value, consumedByteCount: index + 1) }
        } catch {
          return fail(error)
        }
      }
      index += 1
      byteCount += 1
    }
    return .needsMore
  }

  /// The text has ended. A number that stands by itself is complete now; other values that were begun are not.
  ///
  /// - Returns: the number, an error when the text ends within a value, or `needsMore` when all is well.
  public mutating func finish() -> Step {
    if case .failed(let error) = state { return .failed(error) }
    if case .number(let number) = state, number.isComplete, containers.isEmpty, let value = endNumber() {
      return .value(value, consumedByteCount: 0)
    }
    return isBetweenValues ? .needsMore : fail(.unexpectedEnd)
  }

  /// The one value that `bytes` are, white space around it allowed.
  public static func value(
    of bytes: UnsafeRawBufferPointer, limits: JSONLimits = JSONLimits()
  ) throws(JSONError) -> JSONValue {
    var parser = JSONParser(limits: limits)
    var step = parser.parse(bytes)
    if step == .needsMore { step = parser.finish() }
    switch step {
    case .value(let value, let count):
      if let index = bytes.dropFirst(count).firstIndex(where: { !isSpace($0) }), count > 0 {
        let start = bytes.firstIndex { !isSpace($0) } ?? 0
        throw JSONError(.unexpectedByte(bytes[index]), offset: index - start)
      }
      return value
    case .failed(let error): throw error
    case .needsMore: throw JSONError(.unexpectedEnd, offset: bytes.count)
    }
  }

  /// The one value that `text` is, white space around it allowed.
  public static func value(of text: String, limits: JSONLimits = JSONLimits()) throws(JSONError) -> JSONValue {
    let bytes = Array(text.utf8)
    let result: Result<JSONValue, JSONError> = bytes.withUnsafeBytes { bytes in
      do throws(JSONError) { return .success(try value(of: bytes, limits: limits)) } catch { return .failure(error) }
    }
    return try result.get()
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

  private mutating func fail(_ reason: JSONError.Reason) -> Step { fail(error(reason)) }

  private mutating func fail(_ error: JSONError) -> Step {
    state = .failed(error)
    // A value that is refused is not kept.
    containers = []
    token = []
    return .failed(error)
  }

  private func error(_ reason: JSONError.Reason) -> JSONError { JSONError(reason, offset: byteCount) }

  /// Takes one byte that is not of a number. Returns the value when it is complete.
  private mutating func take(_ byte: UInt8) throws(JSONError) -> JSONValue? {
    switch state {
    case .string:
      return try takeString(byte)
    case .escape:
      try takeEscape(byte)
      return nil
    case .hexadecimal(let remaining):
      try takeHexadecimal(byte, remaining)
      return nil
    case .literal:
      let isEqual = literal.utf8Start[token.count] == byte
      guard isEqual else { throw error(.unexpectedByte(byte)) }
      token.append(byte)
      guard token.count == literal.utf8CodeUnitCount else { return nil }
      let first = token[0]
      token.removeAll(keepingCapacity: true)
      return complete(first == UInt8(ascii: "n") ? .null : .bool(first == UInt8(ascii: "t")))
    case .value, .firstElement, .firstKey, .key, .colon, .comma:
      return Self.isSpace(byte) ? nil : try takeStructure(byte)
    case .number, .failed:
      preconditionFailure("handled by parse")
    }
  }

  private mutating func takeStructure(_ byte: UInt8) throws(JSONError) -> JSONValue? {
    switch (state, byte) {
    case (.firstElement, UInt8(ascii: "]")), (.firstKey, UInt8(ascii: "}")):
      return endContainer()
    case (.comma, UInt8(ascii: "]")) where containers.last?.isObject == false,
      (.comma, UInt8(ascii: "}")) where containers.last?.isObject == true:
      return endContainer()
    case (.comma, UInt8(ascii: ",")):
      state = containers.last?.isObject == true ? .key : .value
      return nil
    case (.colon, UInt8(ascii: ":")):
      state = .value
      return nil
    case (.firstKey, UInt8(ascii: "\"")), (.key, UInt8(ascii: "\"")):
      isKey = true
      state = .string
      return nil
    case (.value, _), (.firstElement, _):
      try beginValue(byte)
      return nil
    default:
      throw error(.unexpectedByte(byte))
    }
  }

  private mutating func beginValue(_ byte: UInt8) throws(JSONError) {
    valueCount += 1
    guard valueCount <= limits.maximumValueCount else {
      throw error(.tooManyValues(maximumValueCount: limits.maximumValueCount))
    }
    switch byte {
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      guard containers.count < limits.maximumDepth else { throw error(.tooDeep(maximumDepth: limits.maximumDepth)) }
      let isObject = byte == UInt8(ascii: "{")
      containers.append(Container(isObject: isObject))
      state = isObject ? .firstKey : .firstElement
    case UInt8(ascii: "\""):
      isKey = false
      state = .string
    case UInt8(ascii: "-"): beginNumber(byte, .minus)
    case UInt8(ascii: "0"): beginNumber(byte, .zero)
    case UInt8(ascii: "1")...UInt8(ascii: "9"): beginNumber(byte, .integer)
    case UInt8(ascii: "t"): beginLiteral(byte, "true")
    case UInt8(ascii: "f"): beginLiteral(byte, "false")
    case UInt8(ascii: "n"): beginLiteral(byte, "null")
    default: throw error(.unexpectedByte(byte))
    }
  }

  private mutating func beginNumber(_ byte: UInt8, _ number: NumberState) {
    token.append(byte)
    state = .number(number)
  }

  private mutating func beginLiteral(_ byte: UInt8, _ literal: StaticString) {
    token.append(byte)
    self.literal = literal
    state = .literal
  }

  private mutating func endNumber() -> JSONValue? {
    let number = JSONNumber(checked: String(decoding: token, as: UTF8.self))
    token.removeAll(keepingCapacity: true)
    return complete(.number(number))
  }

  private mutating func endContainer() -> JSONValue? {
    let container = containers.removeLast()
    return complete(
      container.isObject ? .object(JSONObject(members: container.members)) : .array(container.elements))
  }

  /// A value is complete: hands it to the container it is in, or out.
  private mutating func complete(_ value: JSONValue) -> JSONValue? {
    guard let last = containers.indices.last else {
      let memoryByteCount = memoryByteCount
      self = JSONParser(limits: limits)
      completedMemoryByteCount = memoryByteCount
      return value
    }
    if containers[last].isObject {
      containers[last].members.append(JSONObject.Member(key: containers[last].key, value: value))
    } else {
      containers[last].elements.append(value)
    }
    state = .comma
    return nil
  }

  // MARK: Strings

  private mutating func takeString(_ byte: UInt8) throws(JSONError) -> JSONValue? {
    if highSurrogate != 0 && byte != UInt8(ascii: "\\") { throw error(.loneSurrogate) }
    switch byte {
    case UInt8(ascii: "\""):
      guard let text = String(validating: token, as: UTF8.self) else { throw error(.invalidUTF8) }
      token.removeAll(keepingCapacity: token.count < 4096)
      guard isKey else { return complete(.string(text)) }
      containers[containers.count - 1].key = text
      state = .colon
      return nil
    case UInt8(ascii: "\\"): state = .escape
    case 0x00..<0x20: throw error(.unexpectedByte(byte))
    default: token.append(byte)
    }
    return nil
  }

  private mutating func takeEscape(_ byte: UInt8) throws(JSONError) {
    if highSurrogate != 0 && byte != UInt8(ascii: "u") { throw error(.loneSurrogate) }
    state = .string
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): token.append(byte)
    case UInt8(ascii: "b"): token.append(0x08)
    case UInt8(ascii: "f"): token.append(0x0C)
    case UInt8(ascii: "n"): token.append(0x0A)
    case UInt8(ascii: "r"): token.append(0x0D)
    case UInt8(ascii: "t"): token.append(0x09)
    case UInt8(ascii: "u"):
      codeUnit = 0
      state = .hexadecimal(remaining: 4)
    default: throw error(.unexpectedByte(byte))
    }
  }

  private mutating func takeHexadecimal(_ byte: UInt8, _ remaining: Int) throws(JSONError) {
    let digit: UInt8
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
    default: throw error(.unexpectedByte(byte))
    }
    codeUnit = codeUnit << 4 | UInt32(digit)
    guard remaining == 1 else {
      state = .hexadecimal(remaining: remaining - 1)
      return
    }
    state = .string
    switch codeUnit {
    case 0xD800..<0xDC00:
      guard highSurrogate == 0 else { throw error(.loneSurrogate) }
      highSurrogate = codeUnit
      return
    case 0xDC00..<0xE000:
      guard highSurrogate != 0 else { throw error(.loneSurrogate) }
      codeUnit = 0x10000 + (highSurrogate - 0xD800) << 10 + (codeUnit - 0xDC00)
      highSurrogate = 0
    default:
      guard highSurrogate == 0 else { throw error(.loneSurrogate) }
    }
    token.append(contentsOf: UTF8.encode(Unicode.Scalar(codeUnit)!)!)
  }
}
