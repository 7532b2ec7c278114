/// How a case's host connects.
struct HostOptions: Sendable {
  var headerDigest = false
  var dataDigest = false
  var queueCount = 1
  var queueDepth = 64
  /// Threads that the I/O queues are spread over.
  var reactorCount = 1
  var keepAliveTimeoutMilliseconds: UInt32 = 30_000
  var ioTimeoutMilliseconds: UInt32 = 60_000
  var isDiscovery = false
  /// Nil: the one under test.
  var subsystemNQN: String?
}
