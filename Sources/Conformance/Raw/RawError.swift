internal import NVMeTCPProtocol

/// Why the raw client could not go on. Cases that provoke the target look at which of these it is.
enum RawError: Error, CustomStringConvertible {
  /// No connection came about.
  case unreachable(String)
  /// The target closed or reset the connection.
  case closed(while: String)
  /// The target ended the connection with a C2HTermReq.
  case terminated(TerminationRequest, while: String)
  /// Nothing came in time.
  case timedOut(String)
  /// The target sent something that breaks the transport's rules.
  case malformed(String)
  /// A system call of this host failed.
  case system(String, String)

  var description: String {
    switch self {
    case .unreachable(let what): "cannot connect: \(what)"
    case .closed(let what): "the target closed the connection while \(what)"
    case .terminated(let request, let what):
      "the target ended the connection while \(what): C2HTermReq, FES \(request.fatalErrorStatusCode), "
        + "FEI \(request.fatalErrorInformation)"
    case .timedOut(let what): "nothing came in time while \(what)"
    case .malformed(let what): "the target broke the transport's rules: \(what)"
    case .system(let call, let problem): "\(call) failed: \(problem)"
    }
  }

  /// The target ended the connection, one way or the other.
  var isEndOfConnection: Bool {
    switch self {
    case .closed, .terminated: true
    default: false
    }
  }
}
