internal import BlockDevice
internal import RingReactor
internal import Synchronization

/// Looks at a device's queue depth again and again, and adds up how long it was busy.
final class QueueDepthSampler: Sendable {
  struct Reading: Sendable, Hashable {
    /// As of the latest look.
    var queueDepth: UInt64 = 0
    /// Time with requests outstanding, microseconds.
    var busyMicroseconds: UInt64 = 0
    /// The same, each look weighted by its queue depth.
    var weightedBusyMicroseconds: UInt64 = 0
  }

  let device: RegisteredDevice
  let periodMicroseconds: UInt64
  private let reading = Mutex(Reading())
  private let task = Mutex<Task<Void, Never>?>(nil)

  /// More often costs more than it tells.
  private static let minimumPeriodMicroseconds: UInt64 = 1000

  init(device: RegisteredDevice, periodMicroseconds: UInt64, control: ReactorHandle) {
    self.device = device
    self.periodMicroseconds = periodMicroseconds
    let period = max(periodMicroseconds, Self.minimumPeriodMicroseconds)
    let task = Task(executorPreference: control) { [weak self] in
      var last = MonotonicClock.nanoseconds()
      while !Task.isCancelled {
        try? await Task.sleep(for: .microseconds(Int64(clamping: period)))
        let now = MonotonicClock.nanoseconds()
        guard let self else { return }
        self.look((now - last) / 1000)
        last = now
      }
    }
    self.task.withLock { $0 = task }
  }

  deinit { stop() }

  var latest: Reading { reading.withLock { $0 } }

  func stop() { task.withLock { $0 }?.cancel() }

  private func look(_ elapsedMicroseconds: UInt64) {
    let depth = device.meter?.statistics.outstandingCount ?? 0
    reading.withLock { reading in
      reading.queueDepth = depth
      if depth > 0 {
        reading.busyMicroseconds &+= elapsedMicroseconds
        reading.weightedBusyMicroseconds &+= elapsedMicroseconds &* depth
      }
    }
  }
}
