/// What becomes of a request that modifies, and of which it is unknown whether the lost controller has carried it out, or
/// still will.
public enum UnknownWritePolicy: Sendable, Hashable {
  /// It is sent again when the old path can execute it no more (``CommunicationLossRule``), and fails as lost where that
  /// is never certain.
  case waitUntilOldPathIsQuiesced
  /// It is sent again at once. **The old path may execute it afterwards, over data that has been written since: silent
  /// corruption.** For targets that are known to have ended all commands by the time a connection is closed.
  case resendAtOnceRiskingCorruption
}
