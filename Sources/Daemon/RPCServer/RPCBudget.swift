/// What all clients of an ``RPCServer`` may have of the daemon together: calls that are being carried out, and memory for
/// requests that have not come whole and for replies that have not been fetched. Lives on the control reactor.
final class RPCBudget {
  struct Limits: Sendable, Hashable {
    /// Calls at once, those of clients that have gone included.
    var maximumCallCount = 8192
    /// Bytes of their requests.
    var maximumCallByteCount = 64 << 20
    /// Bytes of requests that are incomplete and of replies that wait.
    var maximumClientByteCount = 128 << 20
  }

  let limits: Limits
  private(set) var callCount = 0
  private(set) var callByteCount = 0
  private(set) var clientByteCount = 0
  /// Called when some client has to go: there is more than may be.
  var whenExhausted: (() -> Void)?

  init(limits: Limits = Limits()) { self.limits = limits }

  /// Counts one more call. False when there are as many as may be, or its request is too large beside those of the others.
  func beginCall(byteCount: Int) -> Bool {
    guard callCount < limits.maximumCallCount, callByteCount + byteCount <= limits.maximumCallByteCount else {
      return false
    }
    callCount += 1
    callByteCount += byteCount
    return true
  }

  func endCall(byteCount: Int) {
    callCount -= 1
    callByteCount -= byteCount
  }

  /// A client has so much more for itself, or less.
  func count(clientBytes change: Int) {
    clientByteCount += change
    if change > 0 && clientByteCount > limits.maximumClientByteCount { whenExhausted?() }
  }
}
