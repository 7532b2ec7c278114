/// What a job's logs are written from: an entry for each I/O, or for each window and direction. Entries are put into
/// memory that was taken before, in between I/Os; what does not fit is counted.
///
/// It belongs to the job's thread, and when the job has ended to whoever has its outcome.
public final class IOLog: @unchecked Sendable {
  /// One I/O that succeeded.
  struct Entry {
    /// Since the job's start, or the end of its ramp.
    var milliseconds: UInt32
    var byteCount: UInt32
    var offset: UInt64
    /// Nanoseconds.
    var submission: UInt64
    var total: UInt64
    var direction: DataDirection
  }

  /// What happened in one direction from the window before to `milliseconds`.
  struct Window {
    var milliseconds: UInt32
    var direction: DataDirection
    var operations: UInt64
    /// Nanoseconds; means or maxima. Of nothing where there are no `operations`.
    var submission: UInt64 = 0
    var completion: UInt64 = 0
    var total: UInt64 = 0
    var kibibytesPerSecond: UInt64
    var operationsPerSecond: UInt64
  }

  private struct Sums {
    var count: UInt64 = 0
    var byteCount: UInt64 = 0
    /// Of submission, completion and total latency.
    var sum: (UInt64, UInt64, UInt64) = (0, 0, 0)
    var longest: (UInt64, UInt64, UInt64) = (0, 0, 0)
  }

  /// Entries of a piece of memory, and how many must be free in between I/Os: more than a job ends in 10 ms.
  private static let chunkLength = 1 << 17
  private static let reserve = 1 << 15

  private let options: LogOptions
  private let directions: [DataDirection]
  private let mostChunks: Int
  private var chunks: [UnsafeMutableBufferPointer<Entry>] = []
  private var lengths: [Int] = []
  private var place: UnsafeMutablePointer<Entry>?
  private var free = 0
  private let sums: UnsafeMutablePointer<Sums>
  private(set) var windows: [Window] = []
  private var start: UInt64 = 0
  private var windowStart: UInt64 = 0
  /// I/Os that there was no memory for.
  private(set) var droppedCount: UInt64 = 0

  /// - Parameters:
  ///   - pattern: a window tells of its directions, also where nothing was done in them.
  ///   - byteLimit: how much memory entries of single I/Os may take.
  init(_ options: LogOptions, pattern: IOPattern, byteLimit: UInt64) {
    self.options = options
    directions = pattern.directions
    mostChunks = max(1, Int(clamping: byteLimit) / (Self.chunkLength * MemoryLayout<Entry>.stride))
    sums = .allocate(capacity: 3)
    sums.initialize(repeating: Sums(), count: 3)
    provide()
  }

  deinit {
    for chunk in chunks { chunk.deallocate() }
    sums.deallocate()
  }

  /// Begins, or begins anew when the ramp is over; times count from here.
  func begin(at now: UInt64) {
    start = now
    windowStart = now
    for index in 0..<3 { sums[index] = Sums() }
    windows = []
    droppedCount = 0
    if chunks.count > 1 { for chunk in chunks.dropFirst() { chunk.deallocate() } }
    chunks = Array(chunks.prefix(1))
    lengths = []
    place = chunks.first?.baseAddress
    free = place == nil ? 0 : Self.chunkLength
  }

  /// Makes room; not while an I/O waits for it.
  func provide() {
    guard options.window == 0, free < Self.reserve, chunks.count < mostChunks else { return }
    if !chunks.isEmpty { lengths.append(Self.chunkLength - free) }
    let chunk = UnsafeMutableBufferPointer<Entry>.allocate(capacity: Self.chunkLength)
    chunks.append(chunk)
    place = chunk.baseAddress
    free = Self.chunkLength
  }

  @inline(__always)
  func record(
    _ direction: DataDirection, offset: UInt64, byteCount: UInt32, submission: UInt64, total: UInt64, at now: UInt64
  ) {
    guard options.window == 0 else {
      let sum = sums + direction.rawValue
      let completion = total - submission
      sum.pointee.count &+= 1
      sum.pointee.byteCount &+= UInt64(byteCount)
      sum.pointee.sum.0 &+= submission
      sum.pointee.sum.1 &+= completion
      sum.pointee.sum.2 &+= total
      sum.pointee.longest.0 = max(sum.pointee.longest.0, submission)
      sum.pointee.longest.1 = max(sum.pointee.longest.1, completion)
      sum.pointee.longest.2 = max(sum.pointee.longest.2, total)
      return
    }
    guard free > 0, let entry = place else {
      droppedCount &+= 1
      return
    }
    entry.initialize(
      to: Entry(
        milliseconds: milliseconds(now), byteCount: byteCount, offset: offset, submission: submission, total: total,
        direction: direction))
    place = entry + 1
    free -= 1
  }

  private func milliseconds(_ now: UInt64) -> UInt32 { UInt32(clamping: (now &- start) / 1_000_000) }

  /// Once in a while: room for what comes, and the end of a window.
  ///
  /// - Parameter isEnd: of the job: what there is of the last window counts.
  func periodic(_ now: UInt64, isEnd: Bool = false) {
    provide()
    guard options.window > 0 else { return }
    let elapsed = now &- windowStart
    guard elapsed >= options.window || isEnd else { return }
    if elapsed == 0 || isEnd && (0..<3).allSatisfy({ sums[$0].count == 0 }) { return }
    windowStart = now
    for direction in DataDirection.allCases {
      let sum = sums[direction.rawValue]
      guard sum.count > 0 || directions.contains(direction) else { continue }
      func rate(_ amount: Double) -> UInt64 { UInt64((amount * 1e9 / Double(elapsed)).rounded()) }
      func value(_ sums: UInt64, _ longest: UInt64) -> UInt64 {
        options.showsLongest ? longest : sum.count == 0 ? 0 : sums / sum.count
      }
      windows.append(
        Window(
          milliseconds: milliseconds(now), direction: direction, operations: sum.count,
          submission: value(sum.sum.0, sum.longest.0), completion: value(sum.sum.1, sum.longest.1),
          total: value(sum.sum.2, sum.longest.2), kibibytesPerSecond: rate(Double(sum.byteCount) / 1024),
          operationsPerSecond: rate(Double(sum.count))))
      sums[direction.rawValue] = Sums()
    }
  }

  /// All entries, in the order in which the I/Os ended.
  func forEachEntry<Failure: Error>(_ body: (Entry) throws(Failure) -> Void) throws(Failure) {
    for (index, chunk) in chunks.enumerated() {
      let length = index < lengths.count ? lengths[index] : Self.chunkLength - free
      for place in 0..<(options.window == 0 ? length : 0) { try body(chunk[place]) }
    }
  }
}
