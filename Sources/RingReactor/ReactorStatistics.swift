/// What a reactor has done since it was made. Ask for it on the reactor's thread.
public struct ReactorStatistics: Sendable, Hashable {
  public var turnCount: UInt64 = 0
  /// Turns in which nothing was there to do.
  public var idleTurnCount: UInt64 = 0
  /// Ring entries that have completed; what is read and written without the ring while it spins is not among them.
  public var completionCount: UInt64 = 0

  public init() {}
}
