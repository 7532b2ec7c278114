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
  var trust = PathTrust(delaysMilliseconds: World.probationMilliseconds)
  /// The probe that has been sent last.
  var probe: UInt64 = 0
  /// The ANA state as the host knows it.
  var knownANAState = ANAState.optimized

  /// The host asks for commands that are not answered in time to be aborted, before it gives the association up.
  var abortsCommands = false

  // The controller and the network.
  var isReachable = true
  var refusesForGood = false
  var anaState = ANAState.optimized
  var hasNamespace = true
  var knowsNamespace = true
  /// It answers keep alives and connects, and of I/O nothing, or reads alone.
  var ignoresReads = false
  var ignoresWrites = false
  /// How likely a command is answered with an error that may pass.
  var errorProbability = 0.0

  /// A command that reaches the controller is not carried out, and never answered.
  func ignores(isWrite: Bool) -> Bool { isWrite ? ignoresWrites : ignoresReads }

  mutating func answersIO() {
    ignoresReads = false
    ignoresWrites = false
  }

  /// What is in the way of a command that reaches the controller; nil when nothing is.
  var obstacle: StatusField? {
    if !hasNamespace { return .internalPathError }
    return switch anaState {
    case .inaccessible: .asymmetricAccessInaccessible
    case .persistentLoss: .asymmetricAccessPersistentLoss
    case .change: .asymmetricAccessTransition
    default: nil
    }
  }

  /// All is well with the controller and the network again.
  mutating func heal() {
    isReachable = true
    refusesForGood = false
    anaState = .optimized
    hasNamespace = true
    errorProbability = 0
    answersIO()
  }
}
