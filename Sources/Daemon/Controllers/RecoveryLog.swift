internal import BlockDevice
internal import Logging
internal import Synchronization

/// Says in the log when a controller is lost, cannot be connected again, is given up and comes back; each once, however
/// many attempts that takes.
final class RecoveryLog: Sendable {
  private struct Told {
    var lossCount: UInt64 = 0
    /// The controller is away, and that has been told.
    var isAway = false
    var hasFailed = false
  }

  private let name: String
  private let logger: Logger
  private let told = Mutex(Told())

  init(name: String, logger: Logger) {
    self.name = name
    self.logger = logger
  }

  /// On the controller's home reactor.
  func take(_ notice: ControllerNotice, of controller: Controller) {
    guard case .recovery(let state, _) = notice else { return }
    let recovery = controller.snapshot.recovery
    var metadata: Logger.Metadata = ["name": "\(name)", "path": "\(controller.transport)"]
    func reason(_ error: ControllerError?) { if let error { metadata["reason"] = "\(error)" } }
    let (isLoss, isFirstFailure, isFailure, isBack) = told.withLock { told in
      let isLoss = recovery.lossCount > told.lossCount
      // A first connect that fails is told of by whoever wanted it, unless it is tried again.
      let isFirstFailure = state == .reconnectDelayed && !isLoss && !told.isAway
      let isNew = recovery.lastEnabledNanoseconds == nil && !controller.configuration.retriesFirstConnect
      let isFailure = state == .failed && !told.hasFailed && !isNew
      let isBack = state == .enabled && told.isAway
      told.lossCount = recovery.lossCount
      if isLoss || isFirstFailure || isFailure { told.isAway = true }
      told.hasFailed = state == .failed
      if state == .enabled { told.isAway = false }
      return (isLoss, isFirstFailure, isFailure, isBack)
    }
    if isLoss {
      reason(recovery.lastLossReason)
      logger.warning("controller lost", metadata: metadata)
    }
    if isFirstFailure {
      reason(recovery.lastAttemptFailure)
      logger.warning("controller cannot be connected, and is tried again", metadata: metadata)
    }
    if isFailure {
      reason(recovery.lastAttemptFailure ?? recovery.lastLossReason)
      logger.warning("controller stays away until it is reset", metadata: metadata)
    }
    if isBack { logger.notice("controller is back", metadata: metadata) }
  }
}
