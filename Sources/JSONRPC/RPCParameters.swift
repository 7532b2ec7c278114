/// A request's parameters while they are read, strictly: whatever is not asked for by the time of ``finish()`` is an
/// error, and so are a key that is there twice, a key that is missing, a wrong type, and a value out of range.
public struct RPCParameters: Sendable {
  private let object: JSONObject
  private var unread: Set<String>
  private var isSkipped = false
  /// True when the request has none: absent or null. An empty object counts as none, too.
  public let isEmpty: Bool
  /// What is wrong with them as a whole; told at the first opportunity.
  private let wholeError: RPCParameterError?

  /// - Parameter value: the request's `params`; nil when absent.
  public init(_ value: JSONValue?) {
    switch value {
    case nil, .null?:
      object = JSONObject()
      wholeError = nil
    case .object(let object)?:
      self.object = object
      wholeError = object.duplicateKey.map { RPCParameterError(path: $0, rule: "is there twice") }
    case let other?:
      object = JSONObject()
      wholeError = RPCParameterError(path: "", rule: "the parameters are \(other.kind), must be an object")
    }
    unread = Set(object.members.map(\.key))
    isEmpty = object.isEmpty && wholeError == nil
  }

  /// Whether there is such a parameter.
  public func contains(_ key: String) -> Bool { object[key] != nil }

  /// A parameter that may be missing.
  public mutating func optional<Value: RPCParameterValue>(
    _ key: String, as type: Value.Type = Value.self
  ) throws(RPCParameterError) -> Value? {
    if let wholeError { throw wholeError }
    unread.remove(key)
    guard let value = object[key] else { return nil }
    do throws(RPCParameterError) { return try Value(parameter: value) } catch { throw error.inside(key) }
  }

  /// A parameter that must be there.
  public mutating func required<Value: RPCParameterValue>(
    _ key: String, as type: Value.Type = Value.self
  ) throws(RPCParameterError) -> Value {
    guard let value = try optional(key, as: type) else { throw RPCParameterError(path: key, rule: "is missing") }
    return value
  }

  /// A parameter that has a value of its own when it is missing.
  public mutating func optional<Value: RPCParameterValue>(
    _ key: String, default value: Value
  ) throws(RPCParameterError) -> Value {
    try optional(key, as: Value.self) ?? value
  }

  /// An integer with fewer values than its type has.
  public mutating func optional<Value: RPCParameterValue & Comparable>(
    _ key: String, in range: ClosedRange<Value>
  ) throws(RPCParameterError) -> Value? {
    guard let value = try optional(key, as: Value.self) else { return nil }
    guard range.contains(value) else {
      throw RPCParameterError(path: key, rule: "is \(value), must be \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// An object within the parameters, read as strictly by `decode`; nil when it is missing.
  public mutating func optionalObject<Value>(
    _ key: String, _ decode: (inout RPCParameters) throws(RPCParameterError) -> Value
  ) throws(RPCParameterError) -> Value? {
    guard let value = try optional(key, as: JSONValue.self) else { return nil }
    do throws(RPCParameterError) {
      // Null is nothing only in place of all parameters.
      guard case .object = value else { throw JSONValue.mismatch(value, "an object") }
      var inner = RPCParameters(value)
      let result = try decode(&inner)
      try inner.finish()
      return result
    } catch {
      throw error.inside(key)
    }
  }

  /// What has not been read is not looked at.
  public mutating func skip() {
    unread = []
    isSkipped = true
  }

  /// All that was to be read has been read.
  public func finish() throws(RPCParameterError) {
    if let wholeError, !isSkipped { throw wholeError }
    // In the request's order: the same request always gets the same answer.
    if let member = object.members.first(where: { unread.contains($0.key) }) {
      throw RPCParameterError(path: member.key, rule: "is unknown")
    }
  }
}
