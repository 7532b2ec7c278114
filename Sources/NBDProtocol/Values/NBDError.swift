/// NBD_E*, "Error values".
public enum NBDError: UInt32, Sendable, Hashable {
  case notPermitted = 1
  case inputOutput = 5
  case noMemory = 12
  case invalid = 22
  case noSpace = 28
  case overflow = 75
  case notSupported = 95
  case shutdown = 108
}
