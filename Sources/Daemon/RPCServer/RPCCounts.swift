internal import JSONRPC

/// What has become of the calls of one method.
package struct RPCCounts: Sendable, Hashable {
  package var successCount: UInt64 = 0
  package var failureCount: UInt64 = 0
  package var nanoseconds: UInt64 = 0

  mutating func count(_ result: Result<RPCResult, RPCError>, _ nanoseconds: UInt64) {
    if case .success = result { successCount += 1 } else { failureCount += 1 }
    self.nanoseconds &+= nanoseconds
  }
}
