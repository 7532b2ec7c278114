/// A mistake made on purpose, so that it can be seen that the simulation would find it. Each is one that a driver could
/// make around the state machines.
public enum PlantedBug: String, Sendable, CaseIterable {
  /// Writes of unknown outcome are sent again at once.
  case noFence
  /// The wait forgets that traffic based keep alive takes longer.
  case fenceForgetsTraffic
  /// The wait forgets CQT.
  case fenceForgetsQuiesceTime
  /// A new association is taken for a proof that the old one is quiesced.
  case reconnectTakenForProof
  /// A command that was sent and lost is reported as not sent.
  case lostTakenForNotSent
  /// A lost write is reported as done.
  case lostTakenForDone
  /// An end of a command is told twice.
  case completionTwice
  /// An end of a command is not told.
  case completionForgotten
  /// What is held is not looked at when a path comes back.
  case releaseForgotten
  /// What is held is not looked at when its time has come.
  case deadlineForgotten
  /// The end of a lost association is not told to the recovery state machine.
  case closeForgotten
  /// The engine is not told that a path is on probation.
  case probationForgotten
  /// A path is off probation when it has not been used for a while.
  case probationEndsByTime
  /// Each probation is taken for the path's first one.
  case probationsNotCounted
  /// A path on probation is not probed.
  case probeForgotten
  /// The recovery state machine is not told that time has passed.
  case recoveryDeadlineForgotten
}
