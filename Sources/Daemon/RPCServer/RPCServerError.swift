public import RingReactor

/// Why the socket for JSON-RPC cannot be served.
public enum RPCServerError: Error, Sendable, CustomStringConvertible {
  case pathTooLong(String)
  /// Another process has the lock.
  case isServed(String)
  case lockFile(path: String, errno: Int32)
  case socket(String, RingError)
  case reactorGone

  public var description: String {
    switch self {
    case .pathTooLong(let path):
      "--rpc-socket '\(path)': a socket's path has 1 to \(SocketAddress.maximumPathByteCount) bytes"
    case .isServed(let path):
      "--rpc-socket '\(path)': another process serves it; end that one, or choose another path"
    case .lockFile(let path, let code): "the lock file '\(path)' cannot be made: \(errorText(code))"
    case .socket(let path, let error): "--rpc-socket '\(path)': \(error)"
    case .reactorGone: "the control reactor has ended"
    }
  }
}
