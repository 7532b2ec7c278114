/// Why a request's parameters are refused: the parameter, what it is, and what it must be.
public struct RPCParameterError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The parameter, with the ones around it: `multipath_opts.min_io`; empty for the parameters as a whole.
  public var path: String
  public var rule: String

  public init(path: String, rule: String) {
    self.path = path
    self.rule = rule
  }

  public var description: String { path.isEmpty ? rule : "\(path): \(rule)" }

  /// The same error of a parameter inside `parent`.
  func inside(_ parent: String) -> RPCParameterError {
    RPCParameterError(path: path.isEmpty ? parent : path.first == "[" ? parent + path : "\(parent).\(path)", rule: rule)
  }
}
