/// How a command ended, as its queue pair saw it.
@frozen public enum CommandOutcome: UInt8, Sendable {
  /// The controller answered: the status is its own.
  case answered
  /// The data came, but its digest was wrong; the status is what the specification has the host report for it
  /// (Transient Transport Error). Nothing the controller says afterwards masks it.
  case dataDigestError
  /// The controller reported success, but sent less data than was asked for.
  case shortData
  /// The connection ended first. Whether the controller has executed the command, or still will, is unknown.
  case connectionLost
  /// The command was never sent.
  case notSent
}
