internal import BlockDevice

/// How a job survives the loss of a path: further addresses of its target, the timers of recovery, and how I/Os are
/// spread. Times are in milliseconds.
public struct PathOptions: Sendable, Hashable {
  /// Beside the target's own.
  public var addresses: [PathAddress] = []
  /// nil: active/passive.
  public var policy: PathPolicy?
  public var reconnectDelay: Int64?
  /// -1 = for ever, 0 = never.
  public var controllerLossTimeout: Int64?
  /// 0 = I/O is held as long as the controller is not given up.
  public var fastIOFailTimeout: Int64?
  /// Writes of unknown outcome are sent again at once, although the old path may still execute them.
  public var resendsAtOnce = false

  public init() {}

  /// Whether the job's I/O survives the loss of a connection; else it fails with it.
  public var isWanted: Bool {
    !addresses.isEmpty || reconnectDelay != nil || controllerLossTimeout != nil || fastIOFailTimeout != nil
      || resendsAtOnce
  }

  /// What does not go together, naming the option, its value and the rule it breaks; nil if all does.
  var problem: String? {
    if policy != nil, addresses.isEmpty { return "path_policy chooses between paths: give paths" }
    do throws(RecoveryTimersError) {
      _ = try timers()
      return nil
    } catch {
      return error.description.replacing("reconnectDelay", with: "reconnect_delay")
        .replacing("controllerLossTimeout", with: "controller_loss_timeout")
        .replacing("fastIOFailTimeout", with: "fast_io_fail_timeout")
    }
  }

  func timers() throws(RecoveryTimersError) -> RecoveryTimers {
    let standard = RecoveryTimers.standard
    let loss = controllerLossTimeout ?? standard.controllerLossTimeoutMilliseconds
    let fast = fastIOFailTimeout ?? 0
    // What is not given fits what is.
    var delay = standard.reconnectDelayMilliseconds
    if loss >= 0 { delay = min(delay, loss) }
    if fast > 0 { delay = min(delay, fast) }
    return try RecoveryTimers(
      reconnectDelayMilliseconds: reconnectDelay ?? delay, controllerLossTimeoutMilliseconds: loss,
      fastIOFailTimeoutMilliseconds: fast)
  }

  func configuration() throws(MultipathPolicyError) -> MultipathConfiguration {
    var configuration = MultipathConfiguration()
    switch policy ?? .activePassive {
    case .activePassive: configuration.policy = .activePassive
    case .roundRobin(let count):
      configuration.policy = try MultipathPolicy(.activeActive(.roundRobin(minimumIO: count)))
    case .queueDepth: configuration.policy = try MultipathPolicy(.activeActive(.queueDepth))
    case .latency: configuration.policy = try MultipathPolicy(.activeActive(.latency))
    }
    if resendsAtOnce { configuration.unknownWrites = .resendAtOnceRiskingCorruption }
    return configuration
  }
}
