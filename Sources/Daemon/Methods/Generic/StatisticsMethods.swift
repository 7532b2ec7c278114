internal import BlockDevice
internal import JSONRPC
internal import NVMeProtocol
internal import RingReactor

/// Statistics of block devices. Ticks are nanoseconds.
enum StatisticsMethods {
  static func all(_ service: Service) -> [RPCMethod] { [get(service), reset(service)] }

  private enum Mode: String, RPCEnumeration {
    case all, maxmin, error, none

    var reset: BlockStatistics.Reset? {
      switch self {
      case .all: .all
      case .maxmin: .extremes
      case .error: .failures
      case .none: nil
      }
    }
  }

  private static func get(_ service: Service) -> RPCMethod {
    struct Request: Sendable {
      var name: String?
      var names: [String]?
      var isPerChannel: Bool
      var mode: Mode

      var devices: [String]? { name.map { [$0] + (names ?? []) } ?? names }
    }
    return RPCMethod(
      "bdev_get_iostat",
      decode: { parameters throws(RPCParameterError) in
        Request(
          name: try parameters.optional("name"), names: try parameters.optional("names"),
          isPerChannel: try parameters.optional("per_channel", default: false),
          mode: try parameters.optional("reset_mode", default: .none))
      },
      body: { request throws(RPCError) in
        if request.isPerChannel && request.devices?.count != 1 {
          throw .system(22, detail: "per_channel: needs exactly one device")
        }
        var devices: [RegisteredDevice] = []
        if let names = request.devices {
          for name in names { devices.append(try service.device(named: name)) }
        } else {
          devices = service.devices.devices
        }
        var result: JSONObject = [
          "tick_rate": .integer(ThreadMethods.ticksPerSecond), "ticks": .integer(MonotonicClock.nanoseconds()),
        ]
        if request.isPerChannel {
          result["name"] = .string(devices[0].name)
          result["channels"] = .array(
            (devices[0].meter?.channelStatistics ?? []).map { channel in
              var entry: JSONObject = [
                "thread_id": .integer(service.threads.index(of: channel.reactor) + 1)
              ]
              add(channel.statistics, to: &entry)
              return .object(entry)
            })
        } else {
          result["bdevs"] = .array(devices.map { value(of: $0, service) })
        }
        if let reset = request.mode.reset { for device in devices { device.resetStatistics(reset) } }
        return .object(result)
      })
  }

  private static func reset(_ service: Service) -> RPCMethod {
    struct Request: Sendable {
      var name: String?
      var mode: Mode
    }
    return RPCMethod(
      "bdev_reset_iostat",
      decode: { parameters throws(RPCParameterError) in
        Request(
          name: try parameters.optional("name"), mode: try parameters.optional("mode", default: .all))
      },
      body: { request throws(RPCError) in
        guard let reset = request.mode.reset else { return true }
        var devices = service.devices.devices
        if let name = request.name { devices = [try service.device(named: name)] }
        for device in devices { device.resetStatistics(reset) }
        return true
      })
  }

  private static func value(of device: RegisteredDevice, _ service: Service) -> JSONValue {
    var entry: JSONObject = ["name": .string(device.name)]
    let statistics = device.meter?.statistics ?? BlockStatistics()
    add(statistics, to: &entry)
    if let sampler = service.deviceSettings.sampler(of: device) {
      let reading = sampler.latest
      entry["queue_depth_polling_period"] = .integer(sampler.periodMicroseconds)
      entry["queue_depth"] = .integer(reading.queueDepth)
      entry["io_time"] = .integer(reading.busyMicroseconds)
      entry["weighted_io_time"] = .integer(reading.weightedBusyMicroseconds)
    }
    if let nvme = device.nvme, service.controllers.options.countsErrors {
      entry["driver_specific"] = ["nvme_error": errors(of: nvme.multipath)]
    }
    return .object(entry)
  }

  /// Commands that ended in an error, by the type of their NVMe status, and by the status; those that were sent again, and
  /// whose requests succeeded in the end, included.
  static func errors(of device: MultipathBlockDevice) -> JSONValue {
    var sum = BlockStatistics()
    for path in device.snapshot.paths { if let io = path.io { sum.add(io) } }
    var types = JSONObject()
    var codes = JSONObject()
    func add(_ count: UInt64, _ name: String, to object: inout JSONObject) {
      object[name] = .integer((object[name]?.integerValue(UInt64.self) ?? 0) &+ count)
    }
    let failures = sum.failures.filter { $0.key.outcome != .systemError && $0.key.status != 0 }
    for (failure, count) in failures.sorted(by: { $0.key.status < $1.key.status }) {
      let status = StatusField(rawValue: failure.status)
      add(count, StatusWord.word(of: status.statusCodeType), to: &types)
      add(count, StatusWord.word(of: status), to: &codes)
    }
    return ["status_type": .object(types), "status_code": .object(codes)]
  }

  /// The members that every set of statistics has.
  static func add(_ statistics: BlockStatistics, to entry: inout JSONObject) {
    for member in IOStatisticsText.members(of: statistics).members { entry[member.key] = member.value }
    var failures = JSONObject()
    for (failure, count) in statistics.failures.sorted(by: { word(of: $0.key) < word(of: $1.key) }) {
      let word = word(of: failure)
      failures[word] = .integer((failures[word]?.integerValue(UInt64.self) ?? 0) &+ count)
    }
    entry["io_error"] = .object(failures)
  }

  private static func word(of failure: BlockStatistics.Failure) -> String {
    switch failure.outcome {
    case .deviceError, .dataDigestError, .shortData: "nvme_error"
    case .compareMismatch: "miscompare"
    case .notSent: "aborted"
    case .systemError: "aio_error"
    case .connectionLost, .success: "failed"
    }
  }
}
