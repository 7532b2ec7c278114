/// What a call results in: a value, or one that has been written already, to be sent as it is.
public enum RPCResult: Sendable, Hashable {
  case value(JSONValue)
  /// Compact JSON. It may be sent more than once.
  case text([UInt8])
}
