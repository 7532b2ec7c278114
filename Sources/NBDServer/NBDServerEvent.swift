/// What those who run an ``NBDServer`` may want to know.
public enum NBDServerEvent: Sendable, Hashable, CustomStringConvertible {
  /// A client has not got, or has lost, its TLS connection. The reason is in OpenSSL's words.
  case tlsFailed(peer: String, reason: String)

  public var description: String {
    switch self {
    case .tlsFailed(let peer, let reason): "\(peer): \(reason)"
    }
  }
}
