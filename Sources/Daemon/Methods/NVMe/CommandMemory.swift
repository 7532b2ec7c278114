internal import Synchronization

/// Memory for the data of commands that clients send as they are, over all clients. Any thread may call.
package final class CommandMemory: Sendable {
  private let maximumByteCount: Int
  private let byteCount = Mutex(0)

  package init(maximumByteCount: Int = 64 << 20) { self.maximumByteCount = maximumByteCount }

  /// False when there is not so much left.
  func take(_ count: Int) -> Bool {
    byteCount.withLock { byteCount in
      guard byteCount + count <= maximumByteCount else { return false }
      byteCount += count
      return true
    }
  }

  func give(_ count: Int) { byteCount.withLock { $0 -= count } }
}
