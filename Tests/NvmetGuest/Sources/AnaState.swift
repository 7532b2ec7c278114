/// The states of an ANA group as nvmet's configuration names them.
public enum AnaState: String, Sendable {
  case optimized
  case nonOptimized = "non-optimized"
  case inaccessible
  case persistentLoss = "persistent-loss"
  case change
}
