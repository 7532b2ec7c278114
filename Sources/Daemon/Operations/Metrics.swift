internal import BlockDevice
internal import BlockExport
internal import Glibc
internal import RingReactor

/// What the daemon tells Prometheus (text format 0.0.4). Times are seconds, sizes bytes, counters never go back by
/// themselves, though `bdev_reset_iostat` sets them back.
enum Metrics {
  static func text(of service: Service, calls: [String: RPCCounts]) -> String {
    var page = MetricsPage()
    page.family("nvmeofd_build_info", .gauge, "The daemon's version.")
    page.sample(1 as UInt64, ["version": PackageVersion.current])
    page.family("nvmeofd_thread_cpu_seconds_total", .counter, "Processor time used, by reactor.")
    for thread in service.threads.all { page.sample(seconds(thread.busyNanoseconds), ["thread": thread.name]) }
    page.family("nvmeofd_start_time_seconds", .gauge, "When the daemon was started, seconds since 1970.")
    page.sample(service.threads.startTimeSeconds)
    addProcess(&page)
    addCalls(calls, &page)
    addDevices(service, &page)
    addControllers(service.controllers, service.devices, &page)
    addExports(service, &page)
    return page.text
  }

  /// Under the names that Prometheus' own clients use.
  private static func addProcess(_ page: inout MetricsPage) {
    page.family("process_resident_memory_bytes", .gauge, "Memory in use.")
    if let pages = text(of: "/proc/self/statm")?.split(separator: " ").dropFirst().first.flatMap({ UInt64($0) }) {
      page.sample(pages * UInt64(sysconf(Int32(_SC_PAGESIZE))))
    }
    page.family("process_open_fds", .gauge, "Files and sockets that are open.")
    if let directory = opendir("/proc/self/fd") {
      var count: UInt64 = 0
      while readdir(directory) != nil { count += 1 }
      closedir(directory)
      // Itself, its parent, and the directory being read.
      page.sample(max(count, 3) - 3)
    }
    page.family("process_max_fds", .gauge, "Files and sockets that may be open.")
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 { page.sample(UInt64(limit.rlim_cur)) }
  }

  private static func text(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = read(descriptor, &bytes, bytes.count)
    return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
  }

  private static func seconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / 1e9 }

  private static func addCalls(_ calls: [String: RPCCounts], _ page: inout MetricsPage) {
    let sorted = calls.sorted { $0.key < $1.key }
    page.family("nvmeofd_rpc_calls_total", .counter, "Calls, by method and result.")
    for (method, counts) in sorted {
      page.sample(counts.successCount, ["method": method, "result": "success"])
      page.sample(counts.failureCount, ["method": method, "result": "error"])
    }
    page.family("nvmeofd_rpc_seconds_total", .counter, "Time from request to reply, summed, by method.")
    for (method, counts) in sorted { page.sample(seconds(counts.nanoseconds), ["method": method]) }
  }

  private static func addDevices(_ service: Service, _ page: inout MetricsPage) {
    let devices = service.devices.devices.map { ($0, $0.meter?.statistics ?? BlockStatistics()) }
    page.family("nvmeofd_bdev_size_bytes", .gauge, "Size of a block device.")
    for (device, _) in devices { page.sample(device.device.geometry.byteCount, ["bdev": device.name]) }
    func each(
      _ name: String, _ help: String, _ kind: MetricsPage.Kind = .counter,
      _ value: (BlockStatistics.Operation) -> Double
    ) {
      page.family(name, kind, help)
      for (device, statistics) in devices {
        for operation in BlockOperation.allCases {
          page.sample(value(statistics[operation]), ["bdev": device.name, "operation": "\(operation)"])
        }
      }
    }
    each("nvmeofd_bdev_operations_total", "Requests that ended well.") { Double($0.count) }
    each("nvmeofd_bdev_bytes_total", "Bytes of the blocks of these requests.") { Double($0.byteCount) }
    each("nvmeofd_bdev_latency_seconds_total", "Their latencies, summed.") { seconds($0.latencySumNanoseconds) }
    each("nvmeofd_bdev_latency_max_seconds", "The largest of their latencies.", .gauge) {
      seconds($0.maximumLatencyNanoseconds)
    }
    page.family("nvmeofd_bdev_outstanding", .gauge, "Requests that have not ended.")
    for (device, statistics) in devices { page.sample(statistics.outstandingCount, ["bdev": device.name]) }
    page.family("nvmeofd_bdev_held_total", .counter, "Requests that rate limits have held back.")
    for (device, statistics) in devices { page.sample(statistics.heldCount, ["bdev": device.name]) }
    page.family("nvmeofd_bdev_errors_total", .counter, "Requests that failed, by outcome and NVMe status.")
    for (device, statistics) in devices {
      for (failure, count) in statistics.failures.sorted(by: { $0.key.status < $1.key.status }) {
        page.sample(
          count,
          ["bdev": device.name, "outcome": "\(failure.outcome)", "status": "0x" + String(failure.status, radix: 16)])
      }
    }
  }
}
