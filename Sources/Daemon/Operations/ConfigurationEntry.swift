package import JSONRPC

/// A call that is part of a configuration.
package struct ConfigurationEntry: Sendable, Hashable {
  package var method: String
  /// nil when the method takes none.
  package var parameters: JSONObject?

  package init(_ method: String, _ parameters: JSONObject? = nil) {
    self.method = method
    self.parameters = parameters
  }

  /// `{"method": …, "params": …}`
  package var value: JSONValue {
    var object: JSONObject = ["method": .string(method)]
    if let parameters { object["params"] = .object(parameters) }
    return .object(object)
  }
}
