internal import BlockDevice
internal import JSONRPC
internal import RingReactor
internal import Synchronization

/// What is set for all block devices, whatever is behind them, and what is watched of each.
final class DeviceSettings: Sendable {
  /// `bdev_set_options`. Only the examination has anything to do here, and finds nothing: the rest sizes pools that we
  /// have not; the values are kept for whoever asks.
  struct Options: Sendable, Hashable {
    var poolSize: UInt32 = 65_535
    var cacheSize: UInt32 = 256
    var examines = true
    var smallBufferCacheSize: UInt32 = 128
    var largeBufferCacheSize: UInt32 = 16
  }

  private struct Shared {
    var options = Options()
    /// By the device's name.
    var samplers: [String: QueueDepthSampler] = [:]
  }

  private let control: ReactorHandle
  private let shared = Mutex(Shared())

  init(control: ReactorHandle) { self.control = control }

  var options: Options {
    get { shared.withLock { $0.options } }
    set { shared.withLock { $0.options = newValue } }
  }

  /// - Parameter periodMicroseconds: 0 ends it.
  func sample(_ device: RegisteredDevice, periodMicroseconds: UInt64) {
    let sampler =
      periodMicroseconds == 0
      ? nil : QueueDepthSampler(device: device, periodMicroseconds: periodMicroseconds, control: control)
    let old = shared.withLock { shared in
      let old = shared.samplers.removeValue(forKey: device.name)
      shared.samplers[device.name] = sampler
      return old
    }
    old?.stop()
  }

  func sampler(of device: RegisteredDevice) -> QueueDepthSampler? {
    shared.withLock { $0.samplers[device.name] }.flatMap { $0.device === device ? $0 : nil }
  }

  func stop() {
    let samplers = shared.withLock { shared in
      defer { shared.samplers = [:] }
      return shared.samplers.values
    }
    for sampler in samplers { sampler.stop() }
  }

  /// The calls that make limits and options what they are. Options come first: they belong to the start-up phase.
  var optionsEntry: ConfigurationEntry {
    let options = options
    return ConfigurationEntry(
      "bdev_set_options",
      [
        "bdev_io_pool_size": .integer(options.poolSize), "bdev_io_cache_size": .integer(options.cacheSize),
        "bdev_auto_examine": .bool(options.examines),
        "iobuf_small_cache_size": .integer(options.smallBufferCacheSize),
        "iobuf_large_cache_size": .integer(options.largeBufferCacheSize),
      ])
  }

  static func limitEntries(of registry: DeviceRegistry) -> [ConfigurationEntry] {
    registry.devices.compactMap { device in
      guard let limits = device.meter?.rateLimits, limits != .none else { return nil }
      var parameters: JSONObject = ["name": .string(device.name)]
      for (name, value) in RateLimitWords.values(of: limits) { parameters[name] = .integer(value) }
      return ConfigurationEntry("bdev_set_qos_limit", parameters, about: device)
    }
  }
}
