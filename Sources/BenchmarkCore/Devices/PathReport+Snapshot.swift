internal import BlockDevice

extension PathReport {
  /// What a device's snapshot and its paths' controllers tell. Paths that were given up are no longer the device's, but
  /// their controllers still know what became of them.
  init(_ snapshot: MultipathSnapshot, _ controllers: [Controller]) {
    self.init()
    for controller in controllers {
      let state = controller.snapshot
      let recovery = state.recovery
      let address = controller.transport.description
      var path = Path(address: address)
      if let known = snapshot.paths.first(where: { $0.address == address }) {
        path.obstacle = known.availability.obstacle?.description
        path.isOnProbation = known.isOnProbation
      } else {
        path.obstacle = PathObstacle.deleted.description
      }
      path.lossCount = recovery.lossCount
      path.attemptCount = recovery.attemptCount
      path.failedAttemptCount = recovery.failedAttemptCount
      path.reconnectCount = recovery.reconnectCount
      path.longestOutage = recovery.longestOutageNanoseconds
      path.lastTrouble = (recovery.lastLossReason ?? recovery.lastAttemptFailure)?.description
      paths.append(path)
    }
    let statistics = snapshot.statistics
    retryCount = statistics.retryCount
    failoverCount = statistics.failoverCount
    holdCount = statistics.holdCount
    fenceCount = statistics.fenceCount
    unfencedResendCount = statistics.unfencedResendCount
    failureCount = statistics.failureCount
    longestHold = statistics.longestStallNanoseconds
  }
}
