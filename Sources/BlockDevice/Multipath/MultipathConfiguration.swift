/// How a ``MultipathBlockDevice`` uses its paths.
public struct MultipathConfiguration: Sendable, Hashable {
  public var policy = MultipathPolicy.activePassive
  /// How often a request is sent again for a status that is its own fault or the device's; failures of paths do not
  /// count. -1 = no limit.
  public var retryLimit = 5
  /// What becomes of modifying requests of which it is unknown whether they have been carried out.
  public var unknownWrites = UnknownWritePolicy.waitUntilOldPathIsQuiesced
  /// How long after its return a path that had left I/O commands unanswered is probed, in milliseconds: the first time, and
  /// at most. The time doubles with each loss of this kind; it counts from a millisecond.
  public var probationDelayMilliseconds: ClosedRange<UInt32> = 10_000...300_000
  /// Off: a second path is refused.
  public var allowsSeveralPaths = true
  /// Whether I/O is counted path by path (``MultipathSnapshot/Path/io``), which costs each request what a
  /// ``MeteredBlockDevice`` does.
  public var countsPathIO = false

  public init() {}
}
