internal import RingReactor

/// Keeps the time for a ``DiscoveryDriver``, and keeps it alive.
final class DiscoveryTimer: ReactorSource {
  private let driver: DiscoveryDriver

  init(reactor: Reactor, driver: DiscoveryDriver) {
    self.driver = driver
    super.init(reactor: reactor)
  }

  override func deadlineExpired() { driver.handle(.deadline) }

  override func reactorIsEnding() { driver.reactorIsEnding() }
}
