/// A type that parameters are decoded to, strictly: `"1"` is no number, 0 no boolean, null nothing at all.
public protocol RPCParameterValue: Sendable {
  /// - Throws: what is wrong, without a path.
  init(parameter: JSONValue) throws(RPCParameterError)
}

extension RPCParameterValue {
  static func mismatch(_ value: JSONValue, _ wanted: String) -> RPCParameterError {
    RPCParameterError(path: "", rule: "is \(value.kind), must be \(wanted)")
  }
}

extension Bool: RPCParameterValue {
  public init(parameter: JSONValue) throws(RPCParameterError) {
    guard case .bool(let value) = parameter else { throw Self.mismatch(parameter, "true or false") }
    self = value
  }
}

extension String: RPCParameterValue {
  public init(parameter: JSONValue) throws(RPCParameterError) {
    guard case .string(let value) = parameter else { throw Self.mismatch(parameter, "a string") }
    // Names and paths go to interfaces that end at a zero byte.
    guard !value.utf8.contains(0) else { throw RPCParameterError(path: "", rule: "has a zero byte") }
    self = value
  }
}

extension RPCParameterValue where Self: FixedWidthInteger {
  public init(parameter: JSONValue) throws(RPCParameterError) {
    guard case .number(let number) = parameter else { throw Self.mismatch(parameter, "an integer") }
    guard let value = number.integer(Self.self) else {
      throw RPCParameterError(path: "", rule: "is \(number.text), must be an integer from \(Self.min) to \(Self.max)")
    }
    self = value
  }
}

extension Int8: RPCParameterValue {}
extension Int16: RPCParameterValue {}
extension Int32: RPCParameterValue {}
extension Int64: RPCParameterValue {}
extension Int: RPCParameterValue {}
extension UInt8: RPCParameterValue {}
extension UInt16: RPCParameterValue {}
extension UInt32: RPCParameterValue {}
extension UInt64: RPCParameterValue {}
extension UInt: RPCParameterValue {}

extension JSONValue: RPCParameterValue {
  public init(parameter: JSONValue) { self = parameter }
}

extension Array: RPCParameterValue where Element: RPCParameterValue {
  public init(parameter: JSONValue) throws(RPCParameterError) {
    guard case .array(let values) = parameter else { throw Self.mismatch(parameter, "an array") }
    var elements: [Element] = []
    elements.reserveCapacity(values.count)
    for (index, value) in values.enumerated() {
      do throws(RPCParameterError) { elements.append(try Element(parameter: value)) } catch {
        throw error.inside("[\(index)]")
      }
    }
    self = elements
  }
}

/// One word of several: an enumeration whose raw values are the words.
public protocol RPCEnumeration: RPCParameterValue, RawRepresentable, CaseIterable where RawValue == String {}

extension RPCEnumeration {
  public init(parameter: JSONValue) throws(RPCParameterError) {
    let word = try String(parameter: parameter)
    guard let value = Self(rawValue: word) else {
      let words = Self.allCases.map(\.rawValue).joined(separator: ", ")
      throw RPCParameterError(path: "", rule: "is '\(word)', must be one of \(words)")
    }
    self = value
  }
}
