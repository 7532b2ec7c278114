/// How a job's I/Os are spread over its paths.
public enum PathPolicy: Sendable, Hashable {
  /// All go one path, as long as it can be used.
  case activePassive
  /// Over all the best paths in turn, so many I/Os at a time.
  case roundRobin(minimumIO: UInt32)
  /// To the path with the fewest I/Os outstanding.
  case queueDepth
  /// To the path on which the I/O is expected to end first.
  case latency

  static let syntax = "active_passive|round_robin[:N]|queue_depth|latency"

  static func parse(_ text: Substring) throws(OptionValueError) -> PathPolicy {
    let parts = text.trimmedSpaces.lowercased().split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    switch (parts[0], parts.count) {
    case ("active_passive", 1): return .activePassive
    case ("queue_depth", 1): return .queueDepth
    case ("latency", 1): return .latency
    case ("round_robin", 1): return .roundRobin(minimumIO: 1)
    case ("round_robin", _):
      guard let count = UInt32(parts[1]), count > 0 else {
        throw OptionValueError("the number of I/Os that go one path in a row, from 1, after round_robin:")
      }
      return .roundRobin(minimumIO: count)
    default: throw OptionValueError(syntax)
    }
  }
}
