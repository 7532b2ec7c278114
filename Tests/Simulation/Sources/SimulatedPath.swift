internal import BlockDevice

/// One controller, the network to it, and the host's side of both.
struct SimulatedPath {
  /// The host's side, unchanged.
  var recovery: RecoveryStateMachine
  var rule: CommunicationLossRule
  /// The present association, counted over all paths; 0 = none yet.
  var association: UInt64 = 0
  /// The association has been shut down in order.
  var isShuttingDown = false
  /// The host has noticed that the association is over.
  var isLost = false
  /// The ANA state as the host knows it.
  var knownANAState = ANAState.optimized

  // The controller and the network.
  var isReachable = true
  var refusesForGood = false
  var anaState = ANAState.optimized
  var hasNamespace = true
  var knowsNamespace = true
  /// How likely a command is answered with an error that may pass.
  var errorProbability = 0.0
}
