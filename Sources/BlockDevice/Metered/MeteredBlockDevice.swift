public import RingReactor

/// A block device that counts what is done to another one, and holds it to rate limits.
///
/// Put in front of any device; it takes over its name and shape. Its channels count requests, bytes, latencies and
/// failures, fill a histogram while one is enabled, and hold requests back for limits that all of them share. It costs
/// a request two looks at the clock and some additions, no allocation, no lock and no reference count. Any thread may
/// call everything here at any time; nothing waits.
public final class MeteredBlockDevice: BlockDevice {
  /// What is measured.
  public let device: any BlockDevice
  public let asyncFace: AsyncFace
  private let core = MeterCore()

  public init(_ device: any BlockDevice) {
    self.device = device
    asyncFace = AsyncFace(reactor: device.reactor)
  }

  public var name: String { device.name }
  public var geometry: BlockGeometry { device.geometry }
  public var capabilities: BlockCapabilities { device.capabilities }
  public var reactor: ReactorHandle { asyncFace.reactor }

  public func openChannel(on reactor: Reactor, queueDepth: Int) throws(BlockRefusal) -> BlockChannel {
    let inner = try device.openChannel(on: reactor, queueDepth: queueDepth)
    let channel = MeteredChannel(reactor: reactor, inner: inner, core: core)
    channel.keep(self)
    return channel
  }

  /// Everything since the latest reset, of the channels there are and of those that were.
  public var statistics: BlockStatistics { core.statistics }

  /// The same for each channel that is open.
  public var channelStatistics: [BlockChannelStatistics] { core.channelStatistics }
  /// Of all channels on one reactor, closed ones included.
  public func statistics(on reactor: ReactorHandle) -> BlockStatistics { core.statistics(on: reactor) }

  public func resetStatistics(_ what: BlockStatistics.Reset) { core.reset(what) }

  /// Limits of reads, writes and comparisons; others are not held back.
  public var rateLimits: BlockRateLimits {
    get { core.limiter.limits }
    set { core.setLimits(newValue) }
  }

  /// What is being filled; nil when disabled.
  public var histogram: BlockHistogram? { core.histogram }

  /// Starts an empty histogram, in the place of the one there was.
  public func enableHistogram(_ configuration: BlockHistogram.Configuration) {
    core.setHistogram(BlockHistogram(configuration: configuration))
  }

  /// Ends counting; what was counted is dropped.
  public func disableHistogram() { core.setHistogram(nil) }
}
