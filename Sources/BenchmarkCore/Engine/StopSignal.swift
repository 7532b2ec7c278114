internal import Synchronization

/// Asks jobs to end early: set by a signal handler, by another job's failure, or by the program.
public final class StopSignal: Sendable {
  private let isSet = Atomic<Bool>(false)

  public init() {}

  /// May be called from any thread, and from a signal handler.
  public func stop() { isSet.store(true, ordering: .releasing) }

  @inline(__always)
  public var isStopped: Bool { isSet.load(ordering: .relaxed) }
}
