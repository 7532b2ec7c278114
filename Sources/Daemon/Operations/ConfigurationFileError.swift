internal import Glibc
public import JSONRPC

/// Why a configuration file cannot be read or written.
public struct ConfigurationFileError: Error, Sendable, CustomStringConvertible {
  public enum Reason: Sendable {
    case system(operation: String, errno: Int32)
    /// Line and column count from 1.
    case notJSON(JSONError.Reason, line: Int, column: Int)
    case isEmpty
    case isNoFile
    /// Another process keeps it.
    case isKept
    case malformed(place: String, rule: String)
  }

  public var path: String
  public var reason: Reason

  public init(path: String, reason: Reason) {
    self.path = path
    self.reason = reason
  }

  var isFullDisk: Bool {
    if case .system(_, let code) = reason { code == ENOSPC || code == EDQUOT } else { false }
  }

  public var description: String {
    switch reason {
    case .system(let operation, let code): "'\(path)': \(operation) failed: \(String(cString: strerror(code)))"
    case .notJSON(let reason, let line, let column): "'\(path)' is not JSON: line \(line), column \(column): \(reason)"
    case .isEmpty:
      "'\(path)' is empty: write {\"subsystems\": []} into it for a configuration of nothing, or remove it"
    case .isNoFile: "'\(path)' is no regular file: a configuration that is kept must be one"
    case .isKept:
      "'\(path)': another process keeps its configuration there; end that one, or give this one a file of its own"
    case .malformed(let place, let rule): "'\(path)': \(place): \(rule)"
    }
  }
}
