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
  var probation = PathProbation(delaysMilliseconds: World.probationMilliseconds)
  /// The probe that has been sent last.
  var probe: UInt64 = 0
  /// The ANA state as the host knows it.
  var knownANAState = ANAState.optimized

  // The controller and the network.
  var isReachable = true
  var refusesForGood = false
  var anaState = ANAState.optimized
  var hasNamespace = true
  var knowsNamespace = true
  /// It answers keep alives and connects, and of I/O nothing, or reads alone.
  var ignoresReads = false
  var ignoresWrites = false
  /// Losses for unanswered I/O, one soon after the other; and whether a probe has been answered since the last one.
  var unansweredCount = 0
  var lastUnansweredNanoseconds: UInt64 = 0
  var hasAnsweredProbe = true
  var trustedNanoseconds: UInt64 = 0
  /// How likely a command is answered with an error that may pass.
  var errorProbability = 0.0
}
