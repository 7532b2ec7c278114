internal import Synchronization

/// Where a channel leaves its statistics for other threads. It writes only when something has gone wrong: the path of a
/// healthy request does not come here.
final class MultipathReport: Sendable {
  struct Content {
    var statistics = MultipathStatistics()
    var errorCounts: [UInt16: UInt64] = [:]
  }

  private let content = Mutex(Content())

  func set(_ statistics: MultipathStatistics) { content.withLock { $0.statistics = statistics } }

  func count(status: UInt16) { content.withLock { $0.errorCounts[status & 0x7FF, default: 0] += 1 } }

  func read() -> Content { content.withLock { $0 } }
}
