internal import BlockDevice
internal import Glibc
internal import JSONRPC
internal import RingReactor

/// Methods about reactors, which are what the interface calls both reactors and threads. Ticks are nanoseconds.
enum ThreadMethods {
  static let ticksPerSecond: UInt64 = 1_000_000_000

  static func all(_ service: Service) -> [RPCMethod] {
    [
      RPCMethod("framework_get_reactors", undecodable: refusal("framework_get_reactors")) { reactors(service) },
      RPCMethod("thread_get_stats", undecodable: refusal("thread_get_stats")) { statistics(service) },
      RPCMethod("thread_get_pollers", undecodable: refusal("thread_get_pollers")) { pollers(service) },
      RPCMethod("thread_get_io_channels", undecodable: refusal("thread_get_io_channels")) { channels(service) },
    ]
  }

  private static func refusal(_ name: String) -> RPCError { .invalidParameters("'\(name)' requires no arguments") }

  private static func times(_ thread: ServiceThreads.Thread, _ service: Service) -> (busy: UInt64, idle: UInt64) {
    let busy = thread.busyNanoseconds
    let elapsed = MonotonicClock.nanoseconds() &- service.threads.startNanoseconds
    return (busy, elapsed > busy ? elapsed - busy : 0)
  }

  private static func reactors(_ service: Service) -> JSONValue {
    let reactors = service.threads.all.map { thread -> JSONValue in
      let (busy, idle) = times(thread, service)
      return [
        "lcore": .integer(thread.index), "tid": .integer(thread.threadIdentifier), "busy": .integer(busy),
        "idle": .integer(idle), "in_interrupt": true,
        "lw_threads": [
          [
            "name": .string(thread.name), "id": .integer(thread.index + 1),
            "cpumask": .string(mask(thread.index)), "elapsed": .integer(busy + idle),
          ]
        ],
      ]
    }
    return [
      "tick_rate": .integer(ticksPerSecond), "pid": .integer(getpid()), "reactors": .array(reactors),
    ]
  }

  private static func mask(_ index: Int) -> String { String(1 << UInt64(index & 63), radix: 16) }

  private static func statistics(_ service: Service) -> JSONValue {
    let threads = service.threads.all.map { thread -> JSONValue in
      let (busy, idle) = times(thread, service)
      return [
        "name": .string(thread.name), "id": .integer(thread.index + 1), "cpumask": .string(mask(thread.index)),
        "busy": .integer(busy), "idle": .integer(idle), "active_pollers_count": 1, "timed_pollers_count": 0,
        "paused_pollers_count": 0,
      ]
    }
    return ["tick_rate": .integer(ticksPerSecond), "threads": .array(threads)]
  }

  /// A reactor is an event loop, and has nothing that it polls for as long as it lives.
  private static func pollers(_ service: Service) -> JSONValue {
    let threads = service.threads.all.map { thread -> JSONValue in
      [
        "name": .string(thread.name), "id": .integer(thread.index + 1), "active_pollers": [], "timed_pollers": [],
        "paused_pollers": [],
      ]
    }
    return ["tick_rate": .integer(ticksPerSecond), "threads": .array(threads)]
  }

  /// The channels of the registered devices.
  private static func channels(_ service: Service) -> JSONValue {
    let devices = service.devices.devices.map { ($0.name, $0.meter?.channelStatistics ?? []) }
    let threads = service.threads.all.map { thread -> JSONValue in
      let channels = devices.compactMap { name, channels -> JSONValue? in
        let count = channels.count { $0.reactor === thread.reactor }
        return count == 0 ? nil : ["name": .string("bdev_\(name)"), "ref": .integer(count)]
      }
      return ["name": .string(thread.name), "io_channels": .array(channels)]
    }
    return ["threads": .array(threads)]
  }
}
