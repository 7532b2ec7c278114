internal import Synchronization

/// What a running job tells the rest of the program: counters for the status line, and whole results on request.
///
/// The job writes plain relaxed stores a hundred times a second; nothing of it is on the path of an I/O.
public final class JobProgress: Sendable {
  private let stateValue = Atomic<UInt8>(JobState.notStarted.rawValue)
  private let readBytes = Atomic<UInt64>(0)
  private let readOperations = Atomic<UInt64>(0)
  private let writeBytes = Atomic<UInt64>(0)
  private let writeOperations = Atomic<UInt64>(0)
  private let trimBytes = Atomic<UInt64>(0)
  private let trimOperations = Atomic<UInt64>(0)
  private let startedAt = Atomic<UInt64>(0)
  private let snapshotWanted = Atomic<Bool>(false)
  private let snapshot = Mutex<JobStatistics?>(nil)

  private let pathReporter = Mutex<(@Sendable () -> PathReport)?>(nil)

  public init() {}

  public var state: JobState {
    get { JobState(rawValue: stateValue.load(ordering: .acquiring)) ?? .notStarted }
    set { stateValue.store(newValue.rawValue, ordering: .releasing) }
  }

  /// When the job began its I/O, nanoseconds on its clock; 0 before.
  public var startNanoseconds: UInt64 {
    get { startedAt.load(ordering: .relaxed) }
    set { startedAt.store(newValue, ordering: .relaxed) }
  }

  func publish(_ direction: DataDirection, byteCount: UInt64, operations: UInt64) {
    switch direction {
    case .read:
      readBytes.store(byteCount, ordering: .relaxed)
      readOperations.store(operations, ordering: .relaxed)
    case .write:
      writeBytes.store(byteCount, ordering: .relaxed)
      writeOperations.store(operations, ordering: .relaxed)
    case .trim:
      trimBytes.store(byteCount, ordering: .relaxed)
      trimOperations.store(operations, ordering: .relaxed)
    }
  }

  /// Bytes and I/Os so far, ramp time included.
  public func totals(_ direction: DataDirection) -> (byteCount: UInt64, operations: UInt64) {
    switch direction {
    case .read: (readBytes.load(ordering: .relaxed), readOperations.load(ordering: .relaxed))
    case .write: (writeBytes.load(ordering: .relaxed), writeOperations.load(ordering: .relaxed))
    case .trim: (trimBytes.load(ordering: .relaxed), trimOperations.load(ordering: .relaxed))
    }
  }

  /// Asks the job for its results so far; they appear in `takeSnapshot` soon after. What an earlier request has left
  /// there, because it came too late, goes.
  public func requestSnapshot() {
    snapshot.withLock { $0 = nil }
    snapshotWanted.store(true, ordering: .releasing)
  }

  var isSnapshotWanted: Bool { snapshotWanted.load(ordering: .acquiring) }

  /// Where the job's paths can be asked after, on any thread; nil when they are no more.
  func setPathReporter(_ reporter: (@Sendable () -> PathReport)?) { pathReporter.withLock { $0 = reporter } }

  /// What the job's paths have gone through so far; nil for a job without paths that can be lost.
  public func pathReport() -> PathReport? { pathReporter.withLock { $0 }?() }

  func deliver(_ statistics: JobStatistics) {
    snapshot.withLock { $0 = statistics }
    snapshotWanted.store(false, ordering: .releasing)
  }

  /// The results last delivered; nil when none were since the last call.
  public func takeSnapshot() -> JobStatistics? {
    snapshot.withLock { stored in
      defer { stored = nil }
      return stored
    }
  }
}
