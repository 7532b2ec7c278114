/// How discovery services are watched.
public struct PersistentDiscoveryConfiguration: Sendable, Hashable {
  /// Of each service's connection, in milliseconds, at least 1: it is what makes a connection to a discovery service a
  /// persistent one (NVMe Base 2.1, section 3.1.3.3). A target identifier that says something else comes first.
  public var keepAliveTimeoutMilliseconds: UInt32 = 30_000
  /// How long each service's connection may take to be made, in milliseconds.
  public var connectTimeoutMilliseconds: UInt32 = 10_000
  /// How long each command may take, in milliseconds.
  public var adminTimeoutMilliseconds: UInt32 = 10_000
  /// How long each service may take to shut down when it is let go, in milliseconds.
  public var shutdownTimeoutMilliseconds: UInt32 = 10_000
  /// When a service that is lost is connected again, and when it is given up.
  public var recovery = Self.standardRecovery
  /// Whether a first connect to the user's service that fails is tried again. Those it refers to are tried in any case.
  public var retriesFirstConnect = false
  /// How often the logs of services are read that do not tell when they change, in milliseconds; 0 = never.
  public var pollMilliseconds: UInt32 = 60_000
  public var limits = DiscoveryCrawler.Limits()

  /// Tried each 2 s, later up to 30 s apart, for ever.
  public static let standardRecovery: RecoveryTimers = {
    do {
      return try RecoveryTimers(
        reconnectDelayMilliseconds: 2000, controllerLossTimeoutMilliseconds: -1,
        backOff: ReconnectBackOff(multiplier: 2, maximumDelayMilliseconds: 30_000, jitter: 0.2))
    } catch { preconditionFailure("\(error)") }
  }()

  public init() {}
}
