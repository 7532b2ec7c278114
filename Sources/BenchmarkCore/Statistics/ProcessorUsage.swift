internal import Glibc

/// What a thread took from the processor. Times in nanoseconds.
public struct ProcessorUsage: Sendable, Equatable {
  public var user: UInt64 = 0
  public var system: UInt64 = 0
  public var contextSwitches: UInt64 = 0
  public var majorFaults: UInt64 = 0
  public var minorFaults: UInt64 = 0

  public init() {}

  /// Of the calling thread since it started.
  public static func ofCallingThread() -> ProcessorUsage {
    var usage = rusage()
    var result = ProcessorUsage()
    // RUSAGE_THREAD is 1 on Linux; the macro is a Linux extension that does not import.
    guard getrusage(1, &usage) == 0 else { return result }
    func nanoseconds(_ time: timeval) -> UInt64 {
      UInt64(clamping: time.tv_sec) * 1_000_000_000 + UInt64(clamping: time.tv_usec) * 1000
    }
    result.user = nanoseconds(usage.ru_utime)
    result.system = nanoseconds(usage.ru_stime)
    result.contextSwitches = UInt64(clamping: usage.ru_nvcsw) + UInt64(clamping: usage.ru_nivcsw)
    result.majorFaults = UInt64(clamping: usage.ru_majflt)
    result.minorFaults = UInt64(clamping: usage.ru_minflt)
    return result
  }

  public func since(_ earlier: ProcessorUsage) -> ProcessorUsage {
    var result = ProcessorUsage()
    result.user = user - min(user, earlier.user)
    result.system = system - min(system, earlier.system)
    result.contextSwitches = contextSwitches - min(contextSwitches, earlier.contextSwitches)
    result.majorFaults = majorFaults - min(majorFaults, earlier.majorFaults)
    result.minorFaults = minorFaults - min(minorFaults, earlier.minorFaults)
    return result
  }

  public mutating func add(_ other: ProcessorUsage) {
    user += other.user
    system += other.system
    contextSwitches += other.contextSwitches
    majorFaults += other.majorFaults
    minorFaults += other.minorFaults
  }
}
