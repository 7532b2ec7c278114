/// What the host wants of a queue pair's transport connection.
public struct QueuePairParameters: Sendable {
  /// 0 = the admin queue.
  public var queueIdentifier: UInt16
  /// Commands outstanding at once, 1...4095.
  public var depth: Int
  /// Longest data a command may carry in its capsule, in bytes (from IOCCSZ).
  public var maximumInCapsuleByteCount: Int
  /// How long the connection may take to be made, in milliseconds.
  public var connectTimeoutMilliseconds: UInt32
  /// How long a command may take before the connection is given up, in milliseconds; 0 = for ever.
  public var commandTimeoutMilliseconds: UInt32
  /// Of a command that takes too long the owner is told first (``QueuePair/takeTimedOutCommands()``); the connection is
  /// given up when it takes as long again.
  public var abortsTimedOutCommands = false

  public init(
    queueIdentifier: UInt16, depth: Int, maximumInCapsuleByteCount: Int, connectTimeoutMilliseconds: UInt32,
    commandTimeoutMilliseconds: UInt32
  ) {
    self.queueIdentifier = queueIdentifier
    self.depth = depth
    self.maximumInCapsuleByteCount = maximumInCapsuleByteCount
    self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    self.commandTimeoutMilliseconds = commandTimeoutMilliseconds
  }
}
