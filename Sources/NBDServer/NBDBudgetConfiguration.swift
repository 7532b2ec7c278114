/// How much an ``NBDBudget`` has to give.
public struct NBDBudgetConfiguration: Sendable, Hashable {
  /// Bytes that all clients share for the data of their requests, beside what each has for itself. Every reactor has an
  /// equal part of them; one request may always be under way on it, however large.
  public var memoryByteCount = 256 << 20
  /// Connections at once; more are closed at once.
  public var maximumConnectionCount = 1024
  /// Bytes of buffers that each reactor keeps for the next requests.
  public var keptBufferByteCount = 16 << 20

  public init() {}
}
