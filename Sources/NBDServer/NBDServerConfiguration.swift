public import NBDProtocol

/// How an ``NBDServer`` serves.
public struct NBDServerConfiguration: Sendable, Hashable {
  /// What one connection may have under way.
  public var transmission = NBDTransmissionConfiguration()
  /// Connections at once; more are closed at once.
  public var maximumConnectionCount = 1024
  /// How long a client may take to negotiate, in milliseconds.
  public var negotiationTimeoutMilliseconds: UInt32 = 30_000
  /// How long a client that takes its leave, or whose export ends, may go on without fetching any of its last answers, in
  /// milliseconds. It begins when the device has none of its requests any more.
  public var drainTimeoutMilliseconds: UInt32 = 5_000
  /// When the server or the export ends: how long all outstanding requests may take, in milliseconds. What has not ended by
  /// then is answered with ESHUTDOWN, and those answers may be fetched for ``drainTimeoutMilliseconds``. A client that takes its
  /// leave gets all answers, however long the device takes.
  public var endTimeoutMilliseconds: UInt32 = 10_000
  /// Bytes of buffers that each reactor keeps for the next requests.
  public var keptBufferByteCount = 16 << 20

  public init() {}
}
