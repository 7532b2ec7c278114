package import NVMeHost

/// Whether a path is on probation, sans-I/O. A path that has left I/O commands unanswered is, lost by it or not, until it has
/// shown that it does I/O again: that its controller can be connected and answers keep alives proves nothing.
///
/// It shows it by a probe, a read that is due some time after the path is back: twice as long after each failure of this
/// kind, because one that hangs has the controller reset, and because a path may answer a small read and nothing else. What
/// there was is forgotten when a path off probation has held for as long as the longest of these times.
package struct PathProbation: Sendable {
  package private(set) var isOn = false
  /// Tells probes apart: what becomes of one that is not the latest counts for nothing.
  package private(set) var number: UInt64 = 0
  /// When the probe is due; nil: not on probation, or not connected again yet.
  package private(set) var dueNanoseconds: UInt64?
  /// The I/O queue that left a command unanswered.
  package private(set) var queueIdentifier: UInt16 = 0
  private let delaysNanoseconds: ClosedRange<UInt64>
  /// Losses of the controller that have been looked at.
  private var lossCount: UInt64
  /// Times that I/O has gone unanswered, one soon after the other.
  private var failureCount = 0
  private var endNanoseconds: UInt64?

  /// - Parameters:
  ///   - delaysMilliseconds: how long after its return a path is probed: the first time, and at most.
  ///   - lossCount: losses of the controller that are no news.
  package init(delaysMilliseconds: ClosedRange<UInt32>, lossCount: UInt64 = 0) {
    // Never 0: a probe that could not be sent would be followed by the next within the turn.
    let shortest = max(UInt64(delaysMilliseconds.lowerBound), 1) * 1_000_000
    delaysNanoseconds = shortest...max(UInt64(delaysMilliseconds.upperBound) * 1_000_000, shortest)
    self.lossCount = lossCount
  }

  /// Looks at what the path's controller has gone through.
  ///
  /// - Parameter isConnected: there is an association now.
  package mutating func look(_ recovery: RecoveryStatistics, isConnected: Bool) {
    if recovery.lossCount != lossCount {
      lossCount = recovery.lossCount
      if let queue = recovery.lastLossReason?.unansweredIOQueue {
        fail(queue, at: recovery.lastLossNanoseconds ?? 0)
      }
    }
    if isOn, isConnected, dueNanoseconds == nil, let enabled = recovery.lastEnabledNanoseconds {
      dueNanoseconds = enabled &+ delayNanoseconds
    }
  }

  /// I/O commands have gone unanswered, and the controller is asked to abort them: it is not lost by that.
  ///
  /// - Parameter queue: QID of their I/O queue.
  package mutating func commandsUnanswered(_ queue: UInt16, nowNanoseconds now: UInt64) {
    // What a path on probation is sent before its next chance, because there is no other, is no failure more.
    if isOn, now < dueNanoseconds ?? .max { return }
    fail(queue, at: now)
    dueNanoseconds = now &+ delayNanoseconds
  }

  private mutating func fail(_ queue: UInt16, at now: UInt64) {
    if let endNanoseconds, !isOn, now >= endNanoseconds &+ delaysNanoseconds.upperBound { failureCount = 0 }
    failureCount += 1
    isOn = true
    queueIdentifier = queue
    number += 1
    dueNanoseconds = nil
  }

  /// A probe has ended. One without an answer is followed by another; its failure counts when the controller is lost by it.
  package mutating func probeEnded(_ number: UInt64, isAnswered: Bool, nowNanoseconds now: UInt64) {
    guard isOn, number == self.number else { return }
    self.number += 1
    if isAnswered {
      isOn = false
      dueNanoseconds = nil
      endNanoseconds = now
    } else {
      dueNanoseconds = now &+ delayNanoseconds
    }
  }

  private var delayNanoseconds: UInt64 {
    var delay = delaysNanoseconds.lowerBound
    var doublings = failureCount - 1
    while doublings > 0 && delay < delaysNanoseconds.upperBound {
      delay *= 2
      doublings -= 1
    }
    return min(delay, delaysNanoseconds.upperBound)
  }
}
