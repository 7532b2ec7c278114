internal import BlockDevice
package import JSONRPC

/// Settings of block devices.
enum DeviceMethods {
  static func all(_ service: Service) -> [RPCMethod] {
    [setOptions(service), examine(service), waitForExamine, setRateLimits(service), setSamplingPeriod(service)]
  }

  private static func setOptions(_ service: Service) -> RPCMethod {
    RPCMethod(
      "bdev_set_options", phase: .startup, undecodable: .undecodable,
      decode: { parameters throws(RPCParameterError) in
        var options = service.deviceSettings.options
        options.poolSize = try parameters.optional("bdev_io_pool_size", default: options.poolSize)
        options.cacheSize = try parameters.optional("bdev_io_cache_size", default: options.cacheSize)
        options.examines = try parameters.optional("bdev_auto_examine", default: options.examines)
        options.smallBufferCacheSize = try parameters.optional(
          "iobuf_small_cache_size", default: options.smallBufferCacheSize)
        options.largeBufferCacheSize = try parameters.optional(
          "iobuf_large_cache_size", default: options.largeBufferCacheSize)
        return options
      },
      body: { options in
        service.deviceSettings.options = options
        return true
      })
  }

  /// Nothing is built upon devices here, so that there is nothing to find on them: an examination has always ended.
  private static func examine(_ service: Service) -> RPCMethod {
    RPCMethod(
      "bdev_examine", phase: .both, undecodable: .invalidParameters("spdk_json_decode_object failed"),
      decode: { parameters throws(RPCParameterError) in try parameters.required("name", as: String.self) },
      body: { _ in true })
  }

  private static var waitForExamine: RPCMethod { RPCMethod("bdev_wait_for_examine") { true } }

  private static func setRateLimits(_ service: Service) -> RPCMethod {
    struct Request: Sendable {
      var name: String
      var operations, bytes, readBytes, writeBytes: UInt64?
    }
    return RPCMethod(
      "bdev_set_qos_limit",
      decode: { parameters throws(RPCParameterError) in
        let megabytes: ClosedRange<UInt64> = 0...(UInt64.max / RateLimitWords.bytesPerMegabyte)
        return Request(
          name: try parameters.required("name"), operations: try parameters.optional("rw_ios_per_sec"),
          bytes: try parameters.optional("rw_mbytes_per_sec", in: megabytes),
          readBytes: try parameters.optional("r_mbytes_per_sec", in: megabytes),
          writeBytes: try parameters.optional("w_mbytes_per_sec", in: megabytes))
      },
      body: { request throws(RPCError) in
        let meter = try service.meter(of: request.name)
        guard [request.operations, request.bytes, request.readBytes, request.writeBytes].contains(where: { $0 != nil })
        else { throw .invalidArgument("No rate limits specified") }
        var limits = meter.rateLimits
        func set(_ limit: inout UInt64, _ value: UInt64?, _ unit: UInt64) { if let value { limit = value * unit } }
        set(&limits.operationsPerSecond, request.operations, 1)
        set(&limits.bytesPerSecond, request.bytes, RateLimitWords.bytesPerMegabyte)
        set(&limits.readBytesPerSecond, request.readBytes, RateLimitWords.bytesPerMegabyte)
        set(&limits.writeBytesPerSecond, request.writeBytes, RateLimitWords.bytesPerMegabyte)
        meter.rateLimits = limits
        return true
      })
  }

  private static func setSamplingPeriod(_ service: Service) -> RPCMethod {
    struct Request: Sendable { var name: String, periodMicroseconds: UInt64 }
    return RPCMethod(
      "bdev_set_qd_sampling_period",
      decode: { parameters throws(RPCParameterError) in
        Request(name: try parameters.required("name"), periodMicroseconds: try parameters.required("period"))
      },
      body: { request throws(RPCError) in
        let device = try service.device(named: request.name)
        service.deviceSettings.sample(device, periodMicroseconds: request.periodMicroseconds)
        return true
      })
  }
}

extension Service {
  /// - Throws: -19 when there is none of that name.
  package func device(named name: String) throws(RPCError) -> RegisteredDevice {
    guard let device = devices.device(named: name) else { throw .noSuchDevice }
    return device
  }

  /// What counts and limits a device's I/O.
  func meter(of name: String) throws(RPCError) -> MeteredBlockDevice {
    guard let meter = try device(named: name).meter else {
      throw .system(95, detail: "the I/O of '\(name)' is not counted")
    }
    return meter
  }
}
