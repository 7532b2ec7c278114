/// How much a connection may have under way.
public struct NBDTransmissionConfiguration: Sendable, Hashable {
  /// Requests at once, 1...4096. Those beyond wait in the client's socket.
  public var requestLimit = 128
  /// Bytes of buffers at once; one request may always have its own. More wait in the client's socket.
  public var memoryLimitByteCount = 64 << 20
  /// Of these, what the connection has for itself; the rest is borrowed from what all share.
  public var ownMemoryByteCount = 128 << 10

  public init() {}
}
