internal import Glibc
public import JSONRPC

/// Why a configuration file cannot be read or written.
public struct ConfigurationFileError: Error, Sendable, CustomStringConvertible {
  public enum Reason: Sendable {
    case system(operation: String, errno: Int32)
    case notJSON(JSONError)
    case malformed(place: String, rule: String)
  }

  public var path: String
  public var reason: Reason

  public init(path: String, reason: Reason) {
    self.path = path
    self.reason = reason
  }

  public var description: String {
    switch reason {
    case .system(let operation, let code): "'\(path)': \(operation) failed: \(String(cString: strerror(code)))"
    case .notJSON(let error): "'\(path)' is not JSON: \(error)"
    case .malformed(let place, let rule): "'\(path)': \(place): \(rule)"
    }
  }
}
