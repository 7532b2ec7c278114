/// What a job's log of histograms is written from: the completion latencies of each window and direction, by the buckets of
/// ``LatencyHistogram``. An I/O touches one counter; windows are closed in between I/Os.
///
/// It belongs to the job's thread, and when the job has ended to whoever has its outcome.
public final class HistogramLog: @unchecked Sendable {
  /// The I/Os of one direction that ended in a window.
  struct Window {
    /// When it was over, since the job's start, or the end of its ramp.
    var milliseconds: UInt32
    var direction: DataDirection
    /// Of the last of them, as fio has it.
    var byteCount: UInt32
    /// Buckets that hold any, ascending, and how many.
    var counts: [(bucket: UInt16, count: UInt64)]
  }

  private let length: UInt64
  private let counts: UnsafeMutableBufferPointer<UInt64>
  private let byteCounts: UnsafeMutableBufferPointer<UInt32>
  private(set) var windows: [Window] = []
  private var start: UInt64 = 0
  private var windowStart: UInt64 = 0

  /// - Parameter nanoseconds: the length of a window.
  init(windowNanoseconds nanoseconds: UInt64) {
    length = nanoseconds
    counts = .allocate(capacity: 3 * LatencyHistogram.bucketCount)
    byteCounts = .allocate(capacity: 3)
    clear()
  }

  deinit {
    counts.deallocate()
    byteCounts.deallocate()
  }

  private func clear() {
    counts.initialize(repeating: 0)
    byteCounts.initialize(repeating: 0)
  }

  /// Begins, or begins anew when the ramp is over; times count from here.
  func begin(at now: UInt64) {
    start = now
    windowStart = now
    windows = []
    clear()
  }

  @inline(__always)
  func record(_ direction: DataDirection, byteCount: UInt32, completion: UInt64) {
    counts[direction.rawValue * LatencyHistogram.bucketCount + LatencyHistogram.index(of: completion)] &+= 1
    byteCounts[direction.rawValue] = byteCount
  }

  /// Once in a while: the end of a window.
  ///
  /// - Parameter isEnd: of the job: what there is of the last window counts.
  func periodic(_ now: UInt64, isEnd: Bool = false) {
    let elapsed = now &- windowStart
    guard elapsed >= length || isEnd else { return }
    // What is late does not make the next one late.
    windowStart &+= elapsed / length &* length
    let milliseconds = UInt32(clamping: (now &- start) / 1_000_000)
    for direction in DataDirection.allCases {
      let base = direction.rawValue * LatencyHistogram.bucketCount
      let filled = (0..<LatencyHistogram.bucketCount).filter { counts[base + $0] > 0 }
      if filled.isEmpty { continue }
      windows.append(
        Window(
          milliseconds: milliseconds, direction: direction, byteCount: byteCounts[direction.rawValue],
          counts: filled.map { (UInt16($0), counts[base + $0]) }))
    }
    clear()
  }
}
