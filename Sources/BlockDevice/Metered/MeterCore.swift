internal import RingReactor
internal import Synchronization

/// What a ``MeteredBlockDevice`` and its channels share. Any thread may call.
final class MeterCore: Sendable {
  private final class WeakChannel: @unchecked Sendable {
    weak let channel: MeteredChannel?
    let meter: BlockMeter
    init(_ channel: MeteredChannel, _ meter: BlockMeter) {
      self.channel = channel
      self.meter = meter
    }
  }

  private struct Shared {
    var channels: [WeakChannel] = []
    /// What closed channels had counted, by their reactor.
    var past: [ObjectIdentifier: BlockStatistics] = [:]
    var histogram: BlockHistogram?
  }

  let limiter = BlockRateLimiter()
  /// Moves on when the extremes are to start anew.
  private let extremesEpoch = Atomic<UInt64>(0)
  private let shared = Mutex(Shared())

  init() {}

  @inline(__always)
  var epoch: UInt64 { extremesEpoch.load(ordering: .relaxed) }

  /// Enters a channel that has just been opened.
  ///
  /// - Returns: the histogram that it is to fill.
  func enter(_ channel: MeteredChannel, _ meter: BlockMeter) -> BlockHistogram? {
    let entry = WeakChannel(channel, meter)
    return shared.withLock { shared in
      shared.channels.append(entry)
      return shared.histogram
    }
  }

  /// A channel has ended, and counts no more.
  func leave(_ meter: BlockMeter) {
    let final = meter.read(epoch: epoch)
    shared.withLock { shared in
      shared.channels.removeAll { $0.meter === meter }
      shared.past[ObjectIdentifier(meter.reactor), default: BlockStatistics()].add(final)
    }
  }

  var statistics: BlockStatistics {
    let epoch = epoch
    let (past, channels) = shared.withLock { ($0.past, $0.channels) }
    var sum = BlockStatistics()
    for statistics in past.values { sum.add(statistics) }
    for entry in channels { sum.add(entry.meter.read(epoch: epoch)) }
    return sum
  }

  func statistics(on reactor: ReactorHandle) -> BlockStatistics {
    let epoch = epoch
    let (past, channels) = shared.withLock { ($0.past[ObjectIdentifier(reactor)], $0.channels) }
    var sum = past ?? BlockStatistics()
    for entry in channels where entry.meter.reactor === reactor { sum.add(entry.meter.read(epoch: epoch)) }
    return sum
  }

  var channelStatistics: [BlockChannelStatistics] {
    let epoch = epoch
    return shared.withLock { $0.channels }.map {
      BlockChannelStatistics(reactor: $0.meter.reactor, statistics: $0.meter.read(epoch: epoch))
    }
  }

  func reset(_ what: BlockStatistics.Reset) {
    if what != .failures { extremesEpoch.wrappingAdd(1, ordering: .relaxed) }
    let channels = shared.withLock { shared in
      switch what {
      case .all: shared.past = [:]
      case .failures: for reactor in shared.past.keys { shared.past[reactor]?.failures = [:] }
      case .extremes: for reactor in shared.past.keys { shared.past[reactor]?.resetExtremes() }
      }
      return shared.channels
    }
    for entry in channels {
      if what != .extremes { entry.meter.resetFailures() }
      if what == .all { entry.meter.resetCounts() }
    }
  }

  func setLimits(_ limits: BlockRateLimits) {
    limiter.set(limits)
    // Those that hold requests back look again.
    let channels = shared.withLock { $0.channels }
    for entry in channels {
      entry.meter.reactor.post { _ in entry.channel?.limitsChanged() }
    }
  }

  var histogram: BlockHistogram? { shared.withLock { $0.histogram } }

  func setHistogram(_ histogram: BlockHistogram?) {
    let channels = shared.withLock { shared in
      shared.histogram = histogram
      return shared.channels
    }
    for entry in channels {
      // The latest one, should two of these overtake each other.
      entry.meter.reactor.post { [weak self] _ in entry.channel?.take(self?.histogram) }
    }
  }
}
