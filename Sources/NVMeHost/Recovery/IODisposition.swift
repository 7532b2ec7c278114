/// What is to become of I/O to a controller now.
public enum IODisposition: String, Sendable, Hashable, CaseIterable {
  /// Send it.
  case submit
  /// Hold it: the controller may come back.
  case hold
  /// Fail it at once: the controller is not expected back, or not in time.
  case fail
}
