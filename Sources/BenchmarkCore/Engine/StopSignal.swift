internal import Synchronization

/// Asks jobs to end early: set by a signal handler, by another job's failure or end, or by the program.
public final class StopSignal: Sendable {
  private let isSet = Atomic<Bool>(false)
  private let whole: StopSignal?

  /// - Parameter whole: a signal that stops this one, too, and others: that of the run a job belongs to.
  public init(within whole: StopSignal? = nil) { self.whole = whole }

  /// May be called from any thread, and from a signal handler.
  public func stop() { isSet.store(true, ordering: .releasing) }

  /// Stops everything that this signal is part of.
  public func stopAll() { (whole ?? self).stop() }

  @inline(__always)
  public var isStopped: Bool { isSet.load(ordering: .relaxed) || (whole?.isSet.load(ordering: .relaxed) ?? false) }
}
