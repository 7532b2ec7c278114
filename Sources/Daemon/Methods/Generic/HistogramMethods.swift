internal import BlockDevice
internal import JSONRPC

/// Histograms of latencies.
enum HistogramMethods {
  static func all(_ service: Service) -> [RPCMethod] { [enable(service), get(service), getBorders(service)] }

  private static func operation(_ word: String) -> BlockOperation? {
    switch word {
    case "read": .read
    case "write": .write
    case "unmap": .discard
    case "flush": .flush
    case "write_zeroes": .writeZeroes
    case "compare": .compare
    default: nil
    }
  }

  private static func enable(_ service: Service) -> RPCMethod {
    struct Request: Sendable {
      var name: String
      var isOn: Bool
      var operation: String?
      var granularity: UInt32
      var minimum, maximum: UInt64
    }
    return RPCMethod(
      "bdev_enable_histogram",
      decode: { parameters throws(RPCParameterError) in
        Request(
          name: try parameters.required("name"), isOn: try parameters.required("enable"),
          operation: try parameters.optional("opc"), granularity: try parameters.optional("granularity", default: 7),
          minimum: try parameters.optional("min_nsec", default: 0),
          maximum: try parameters.optional("max_nsec", default: 0))
      },
      body: { request throws(RPCError) in
        let meter = try service.meter(of: request.name)
        var only: BlockOperation?
        if let word = request.operation {
          guard let operation = operation(word) else { throw .internalError("Invalid Io type") }
          only = operation
        }
        guard request.isOn else {
          meter.disableHistogram()
          return true
        }
        guard
          let configuration = BlockHistogram.Configuration(
            operation: only, granularity: request.granularity, minimumNanoseconds: request.minimum,
            maximumNanoseconds: request.maximum)
        else {
          throw .system(22, detail: "granularity must be 1 to 13, and min_nsec no more than max_nsec")
        }
        meter.enableHistogram(configuration)
        return true
      })
  }

  /// - Throws: -14 when none is enabled.
  private static func histogram(_ name: String, _ service: Service) throws(RPCError) -> BlockHistogram {
    guard let histogram = try service.meter(of: name).histogram else {
      throw .internalError(RPCError.text(of: 14))
    }
    return histogram
  }

  private static func get(_ service: Service) -> RPCMethod {
    RPCMethod(
      "bdev_get_histogram",
      decode: { parameters throws(RPCParameterError) in try parameters.required("name", as: String.self) },
      body: { name throws(RPCError) in
        let histogram = try histogram(name, service)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(histogram.configuration.bucketCount * 8)
        for count in histogram.counts { withUnsafeBytes(of: count.littleEndian) { bytes.append(contentsOf: $0) } }
        return [
          "histogram": .string(Base64.text(of: bytes)), "granularity": .integer(histogram.configuration.granularity),
          "min_range": .integer(histogram.configuration.firstRange),
          "max_range": .integer(histogram.configuration.lastRange),
          "tsc_rate": .integer(ThreadMethods.ticksPerSecond),
        ]
      })
  }

  private static func getBorders(_ service: Service) -> RPCMethod {
    struct Request: Sendable {
      var name: String
      /// Microseconds, ascending.
      var borders: [UInt64]
    }
    return RPCMethod(
      "bdev_get_histogram_borders",
      decode: { parameters throws(RPCParameterError) in
        let request = Request(
          name: try parameters.required("name"), borders: try parameters.required("borders"))
        guard zip(request.borders, request.borders.dropFirst()).allSatisfy({ $0 <= $1 }) else {
          throw RPCParameterError(path: "borders", rule: "must ascend")
        }
        return request
      },
      body: { request throws(RPCError) in
        let histogram = try histogram(request.name, service)
        let counts = histogram.counts
        let below = request.borders.map { border -> JSONValue in
          let (nanoseconds, overflow) = border.multipliedReportingOverflow(by: 1000)
          let end = histogram.configuration.bucket(of: overflow ? .max : nanoseconds)
          return .integer(counts[..<end].reduce(0, &+))
        }
        return ["borders_count": .array(below + [.integer(counts.reduce(0, &+))])]
      })
  }
}
