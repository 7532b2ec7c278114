internal import NVMeProtocol
public import RingReactor

/// Watches a discovery service, and those that it refers to, for as long as it runs: keeps a connection to each, reads its
/// log whenever that changes and whenever it has been connected anew, and tells which ways to subsystems come and go.
///
/// What a service offers stays offered while the service is lost; only a log that has been read takes something away.
/// Everything is done on the home reactor; any thread may call anything here at any time.
public final class PersistentDiscovery: Sendable {
  /// What is true now.
  public struct Snapshot: Sendable, Hashable {
    /// The user's own service first, then those found by referrals, in the order found.
    public var services: [DiscoveryTracker.ServiceReport] = []
    /// Ways to subsystems, each once, in the order found.
    public var paths: [DiscoveryPath] = []
    /// Referrals that are not followed as a limit has been reached.
    public var skippedReferralCount = 0

    public init() {}

    init(services: [DiscoveryTracker.ServiceReport], paths: [DiscoveryPath], skippedReferralCount: Int) {
      self.services = services
      self.paths = paths
      self.skippedReferralCount = skippedReferralCount
    }
  }

  /// What the driver needs to know.
  struct Plan: Sendable {
    var start: TargetIdentifier
    var identity: HostIdentity
    var configuration: PersistentDiscoveryConfiguration
    var home: ReactorHandle
    var makeTransport: @Sendable (TargetIdentifier) -> any Transport

    func controllerConfiguration(_ target: TargetIdentifier, isFirst: Bool) -> ControllerConfiguration {
      var result = ControllerConfiguration(
        subsystemNQN: target.subsystemNQN, hostNQN: target.hostNQN ?? identity.hostNQN,
        hostIdentifier: target.hostIdentifier ?? identity.hostIdentifier)
      result.isDiscovery = true
      // Without a keep alive time-out the connection would not be a persistent one.
      let keepAlive = target.keepAliveTimeoutMilliseconds ?? 0
      result.keepAliveTimeoutMilliseconds =
        keepAlive > 0 ? keepAlive : max(configuration.keepAliveTimeoutMilliseconds, 1)
      result.connectTimeoutMilliseconds = configuration.connectTimeoutMilliseconds
      result.adminTimeoutMilliseconds = configuration.adminTimeoutMilliseconds
      result.shutdownTimeoutMilliseconds = configuration.shutdownTimeoutMilliseconds
      result.recovery = configuration.recovery
      result.retriesFirstConnect = !isFirst || configuration.retriesFirstConnect
      return result
    }
  }

  /// On the home reactor's thread only.
  private final class DriverBox: @unchecked Sendable {
    var driver: DiscoveryDriver?
  }

  /// The service that the user named.
  public let target: TargetIdentifier
  private let plan: Plan
  private let news = DiscoveryNews()
  private let box = DriverBox()

  /// - Parameters:
  ///   - target: the discovery service to begin with, by the well-known NQN or its own.
  ///   - home: the reactor that all connections live on.
  ///   - makeTransport: makes the transport to a service's address, with the digests it asks for.
  public init(
    target: TargetIdentifier, identity: HostIdentity,
    configuration: PersistentDiscoveryConfiguration = PersistentDiscoveryConfiguration(), home: ReactorHandle,
    makeTransport: @escaping @Sendable (TargetIdentifier) -> any Transport
  ) {
    self.target = target
    plan = Plan(
      start: target, identity: identity, configuration: configuration, home: home, makeTransport: makeTransport)
  }

  deinit {
    let box = box
    plan.home.post { _ in box.driver?.stop() }
  }

  /// The reactor that all connections live on, and whose thread observers are told on.
  public var home: ReactorHandle { plan.home }

  /// What is true now.
  public var snapshot: Snapshot { news.snapshot }

  /// Begins. Returns at once; once is enough.
  public func start() {
    let (plan, news, box) = (plan, news, box)
    let isPosted = plan.home.post { reactor in
      guard box.driver == nil else { return }
      let driver = DiscoveryDriver(reactor: reactor, plan: plan, news: news)
      box.driver = driver
      driver.handle(.start)
    }
    if !isPosted { news.settle(.controller(.disconnected)) }
  }

  /// Waits until the log of the user's own service has been read for the first time. What it names is in ``snapshot``
  /// then, and has been told.
  ///
  /// - Throws: ``DiscoveryError`` when the service has failed or its log could not be read; it is tried on unless
  ///   ``stop()`` is called, if the configuration says so. Also when the task is cancelled
  ///   (``ControllerError/cancelled``), which ends the waiting and nothing else.
  public func ready() async throws(DiscoveryError) {
    if let error = await news.outcome() { throw error }
  }

  /// Ends all connections in good order and waits until nothing of them is left. What was offered is told as detached.
  /// It cannot be started again.
  public func stop() async {
    let box = box
    let controllers = await withUnsafeContinuation { (continuation: UnsafeContinuation<[Controller], Never>) in
      let isPosted = plan.home.post { _ in
        box.driver?.stop()
        continuation.resume(returning: box.driver?.leaving ?? [])
      }
      if !isPosted { continuation.resume(returning: []) }
    }
    news.settle(.controller(.disconnected))
    // Side by side, as each may take its time.
    await withTaskGroup(of: Void.self) { group in
      for controller in controllers { group.addTask { await controller.delete() } }
    }
  }

  /// Has `observer` told the news, in order, on the home reactor's thread, until ``removeObserver(_:)``. What is told can
  /// be read in ``snapshot`` by then.
  public func addObserver(_ observer: @escaping @Sendable (DiscoveryEvent) -> Void) -> UInt64 {
    news.addObserver(observer)
  }

  public func removeObserver(_ identifier: UInt64) { news.removeObserver(identifier) }

  /// The news as a stream. A reader that falls behind by more than 256 events misses the oldest, and finds what is true
  /// in ``snapshot``.
  public func events() -> AsyncStream<DiscoveryEvent> {
    let (stream, continuation) = AsyncStream.makeStream(
      of: DiscoveryEvent.self, bufferingPolicy: .bufferingNewest(256))
    let news = news
    let observer = news.addObserver { continuation.yield($0) }
    continuation.onTermination = { _ in news.removeObserver(observer) }
    return stream
  }
}
