public import JSON

/// What one connection may ask for.
public struct RPCLimits: Sendable, Hashable {
  /// Bounds of one request, or of one batch. More is answered like what is no JSON.
  public var json: JSONLimits
  /// Requests that may be without their reply; a client that sends more is not read from until some have one.
  public var maximumOutstandingCount: Int
  /// Bytes of replies that wait for the client to read them; with more it is not read from. Replies of requests that
  /// are outstanding by then still come on top. Of a batch, which is answered at its end, what would make it more is refused
  /// (ENOMEM).
  public var maximumOutputByteCount: Int

  public init(
    json: JSONLimits = JSONLimits(), maximumOutstandingCount: Int = 1024, maximumOutputByteCount: Int = 4 << 20
  ) {
    self.json = json
    self.maximumOutstandingCount = maximumOutstandingCount
    self.maximumOutputByteCount = maximumOutputByteCount
  }
}
