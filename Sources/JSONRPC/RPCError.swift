internal import Glibc

/// The error that answers a request: what goes over the wire, and what is for the log alone.
public struct RPCError: Error, Sendable, Hashable, CustomStringConvertible {
  /// JSON-RPC's codes, -1 for a wrong state, or a negated `errno`.
  public var code: Int
  /// Clients compare texts: they are part of the interface.
  public var message: String
  /// What was wrong in particular. Logged; never sent, as the texts that clients know have no room for it.
  public var detail: String?

  public init(code: Int, message: String, detail: String? = nil) {
    self.code = code
    self.message = message
    self.detail = detail
  }

  /// `-errno` with the system's text for it.
  public static func system(_ errno: Int32, detail: String? = nil) -> RPCError {
    RPCError(code: -Int(errno), message: text(of: errno), detail: detail)
  }

  /// The system's text for an `errno`, as `strerror` has it.
  public static func text(of errno: Int32) -> String { String(cString: strerror(errno)) }

  /// -22 with a text of its own.
  public static func invalidArgument(_ message: String) -> RPCError { RPCError(code: -Int(EINVAL), message: message) }
  /// -32602 with a text of its own.
  public static func invalidParameters(_ message: String = "Invalid parameters") -> RPCError {
    RPCError(code: -32602, message: message)
  }
  /// -32603 with a text of its own.
  public static func internalError(_ message: String = "Internal error") -> RPCError {
    RPCError(code: -32603, message: message)
  }

  public static let parseError = RPCError(code: -32700, message: "Parse error")
  public static let invalidRequest = RPCError(code: -32600, message: "Invalid request")
  public static let methodNotFound = RPCError(code: -32601, message: "Method not found")
  public static let noSuchDevice = system(ENODEV)

  /// What undecodable parameters are answered by, with most methods: -32603.
  public static let undecodable = internalError("spdk_json_decode_object failed")

  /// What is sent.
  public var value: JSONValue { ["code": .integer(code), "message": .string(message)] }

  public var description: String { "\(code) \(message)" + (detail.map { " (\($0))" } ?? "") }
}
