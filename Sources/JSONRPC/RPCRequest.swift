/// A well-formed request of a client, to be answered by ``RPCConnection/reply(to:_:)``.
public struct RPCRequest: Sendable, Hashable {
  /// Its name within the connection; never used twice.
  public struct Token: Sendable, Hashable {
    let number: UInt64
  }

  public let token: Token
  public let method: String
  /// `params` as sent; nil when absent.
  public let parameters: JSONValue?
  /// About how much memory it takes, in bytes.
  public let memoryByteCount: Int

  /// Why a value is no request, and what its reply is to name it by.
  struct Malformed: Error {
    var error: RPCError
    var identifier: JSONValue
  }

  /// What a value asks for (JSON-RPC 2.0, section 4; `jsonrpc` may be absent).
  struct Envelope {
    var method: String
    var parameters: JSONValue?
    /// nil: absent, the request wants no reply unless it fails.
    var identifier: JSONValue?

    init(_ value: JSONValue) throws(Malformed) {
      guard case .object(let object) = value else {
        throw Malformed(error: .invalidRequest, identifier: .null)
      }
      var identifier: JSONValue?
      switch object["id"] {
      case nil: break
      case let id? where id.isIdentifier: identifier = id
      default: throw Malformed(error: .invalidRequest, identifier: .null)
      }
      // Errors name the request wherever its identifier could be read.
      let named = identifier ?? .null
      var isKnown = true
      for member in object.members where !["jsonrpc", "method", "params", "id"].contains(member.key) { isKnown = false }
      guard isKnown, object.duplicateKey == nil, object["jsonrpc"] == nil || object["jsonrpc"] == "2.0",
        case .string(let method)? = object["method"]
      else { throw Malformed(error: .invalidRequest, identifier: named) }
      switch object["params"] {
      case nil, .null?, .object?, .array?: break
      default: throw Malformed(error: .invalidRequest, identifier: named)
      }
      self.method = method
      self.parameters = object["params"]
      self.identifier = identifier
    }
  }
}

extension JSONValue {
  /// What may be an `id`.
  fileprivate var isIdentifier: Bool {
    switch self {
    case .null, .number, .string: true
    case .bool, .array, .object: false
    }
  }
}
