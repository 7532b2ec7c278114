extension ControllerError {
  /// QID of the I/O queue whose controller left a command unanswered for longer than
  /// ``ControllerConfiguration/ioTimeoutMilliseconds``; nil: this is something else.
  public var unansweredIOQueue: UInt16? {
    guard case .transport(let queue, let error) = self, queue > 0, error.kind == .commandTimedOut else { return nil }
    return queue
  }
}
