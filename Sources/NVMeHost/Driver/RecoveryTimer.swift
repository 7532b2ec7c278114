internal import RingReactor

/// Keeps the time for a ``RecoveryDriver``, and keeps its controller alive while there is something to wait for.
final class RecoveryTimer: ReactorSource {
  private let controller: Controller

  init(reactor: Reactor, controller: Controller) {
    self.controller = controller
    super.init(reactor: reactor)
  }

  override func deadlineExpired() { controller.recovery.handle(.deadline, on: reactor) }

  override func reactorIsEnding() { controller.recovery.handle(.reactorGone, on: reactor) }
}
