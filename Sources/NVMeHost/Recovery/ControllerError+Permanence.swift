internal import NVMeProtocol

extension ControllerError {
  /// Trying to connect again would fail again: the controller says Do Not Retry, a key is missing or wrong, or the
  /// configuration is not allowed.
  ///
  /// Only a failed attempt is judged by it: what ended an association that had been made before says nothing about the
  /// next one.
  public var isPermanent: Bool {
    switch self {
    case .invalidConfiguration, .invalidCommand: true
    case .connectRefused(_, let status, _, _, _), .refused(_, let status):
      status.doNotRetry || status.matches(.authenticationRequired)
    case .busy, .transport, .notReady, .fatalStatus, .noLongerReady, .persistentInternalError, .unusable, .malformed,
      .adminTimeout, .keepAliveTimeout, .anaTransitionTimeout, .disconnected, .cancelled:
      false
    }
  }
}
