public import NBDProtocol

/// How an ``NBDServer`` serves.
public struct NBDServerConfiguration: Sendable, Hashable {
  /// What one connection may have under way.
  public var transmission = NBDTransmissionConfiguration()
  /// Connections at once; more are closed at once.
  public var maximumConnectionCount = 1024
  /// How long a client may take to negotiate, in milliseconds.
  public var negotiationTimeoutMilliseconds: UInt32 = 30_000
  /// How long a client may take to fetch its last answers when the server or the export ends, in milliseconds.
  public var drainTimeoutMilliseconds: UInt32 = 5_000
  /// Bytes of buffers that each reactor keeps for the next requests.
  public var keptBufferByteCount = 16 << 20

  public init() {}
}
