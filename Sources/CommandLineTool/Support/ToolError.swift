import BlockDevice

/// What ends a command with an error: a message for people, and the exit status.
struct ToolError: Error, Hashable, Sendable, CustomStringConvertible {
  var status: ExitStatus
  var description: String

  init(_ status: ExitStatus, _ description: String) {
    self.status = status
    self.description = description
  }

  static func usage(_ description: String) -> ToolError { ToolError(.usage, description) }
  static func local(_ description: String) -> ToolError { ToolError(.localError, description) }

  init(_ error: ControllerError, target: String) {
    switch error {
    case .transport, .connectRefused, .adminTimeout, .keepAliveTimeout, .anaTransitionTimeout, .disconnected,
      .cancelled:
      status = .connectionFailed
    case .invalidConfiguration, .invalidCommand: status = .usage
    case .busy: status = .localError
    case .refused, .notReady, .fatalStatus, .noLongerReady, .persistentInternalError, .unusable, .malformed:
      status = .deviceError
    }
    // Transports name the address themselves.
    description = error.description.contains(target) ? error.description : "\(target): \(error)"
  }

  init(_ error: BlockError) {
    description = error.description
    switch error.cause {
    case .failed(.connectionLost, _), .failed(.notSent, _), .refused(.closed),
      .refused(.noQueueOnReactor):
      status = .connectionFailed
    case .failed(.systemError, _): status = .localError
    case .failed(.compareMismatch, _): status = .mismatch
    case .refused(.outOfRange), .refused(.zeroLength), .refused(.misaligned), .refused(.tooLarge),
      .refused(.lengthMismatch):
      status = .usage
    case .refused, .failed: status = .deviceError
    }
  }

  init(_ fault: CopyFault) {
    description = fault.description
    switch fault.kind {
    case .device, .full: status = .deviceError
    case .connection: status = .connectionFailed
    case .file: status = .localError
    case .mismatch: status = .mismatch
    case .stopped: status = .interrupted
    }
  }
}
