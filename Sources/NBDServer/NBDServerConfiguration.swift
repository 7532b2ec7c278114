public import NBDProtocol

/// How an ``NBDServer`` serves.
public struct NBDServerConfiguration: Sendable, Hashable {
  /// What one connection may have under way.
  public var transmission = NBDTransmissionConfiguration()
  /// How long a client may take to negotiate, in milliseconds.
  public var negotiationTimeoutMilliseconds: UInt32 = 30_000
  /// How long a client that takes its leave, or whose export ends, may go on without fetching any of its last answers, in
  /// milliseconds. It begins when the device has none of its requests any more, and none waits for memory that others have.
  public var drainTimeoutMilliseconds: UInt32 = 5_000
  /// When the server or the export ends: how long all outstanding requests may take, in milliseconds. What has not ended by
  /// then is answered with ESHUTDOWN, and those answers may be fetched for ``drainTimeoutMilliseconds``. A client that takes its
  /// leave gets all answers, however long the device takes.
  public var endTimeoutMilliseconds: UInt32 = 10_000
  /// While others wait for memory, in milliseconds: a client that has borrowed some and within this time neither sends nor
  /// fetches as much is cut off, unless the device has a request of its when it is looked: at the beginning, amid and at the end.
  public var borrowingTimeoutMilliseconds: UInt32 = 15_000

  public init() {}

  /// How long the end of a server takes at most, but for requests that devices do not end.
  public var endPatience: Duration { .milliseconds(endTimeoutMilliseconds) + .milliseconds(drainTimeoutMilliseconds) }
}
