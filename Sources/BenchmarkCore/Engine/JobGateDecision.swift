/// What a job at its gate is to do.
public enum JobGateDecision: Sendable {
  case wait
  case start
  case giveUp
}
