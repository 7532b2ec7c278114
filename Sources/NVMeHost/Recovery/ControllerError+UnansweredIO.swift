extension ControllerError {
  /// QID of the I/O queue whose controller left a command unanswered for longer than
  /// ``ControllerConfiguration/ioTimeoutMilliseconds``, or whose connection did not even deliver it; nil: this is something
  /// else.
  public var unansweredIOQueue: UInt16? {
    guard case .transport(let queue, let error) = self, queue > 0 else { return nil }
    return error.kind == .commandTimedOut || error.kind == .unacknowledged ? queue : nil
  }
}
