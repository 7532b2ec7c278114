public import Logging
public import RingReactor

/// What the daemon consists of, as its methods see it: one of these a process, made at start and handed to every group
/// of methods.
///
/// Control state (controllers, devices, exports, settings) lives in actors whose executor is ``control``, so that a
/// method needs no switch of threads to read it; I/O runs on ``reactors``.
public final class Service: Sendable {
  /// Where sockets of clients are served, methods run and control state lives.
  public let control: ReactorHandle
  /// Where queue pairs and exports live: one or more.
  public let reactors: [ReactorHandle]
  public let logger: Logger

  public init(control: ReactorHandle, reactors: [ReactorHandle], logger: Logger) {
    precondition(!reactors.isEmpty, "a service has at least one I/O reactor")
    self.control = control
    self.reactors = reactors
    self.logger = logger
  }
}
