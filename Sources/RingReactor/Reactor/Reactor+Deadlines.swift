internal import HeapModule

/// Deadlines: one a source, in a heap.
extension Reactor {
  /// When a source's deadline is due next; nil when none has one.
  package var nextDeadlineNanoseconds: UInt64? { nextDeadline() }

  /// Sets the one deadline of a source, nanoseconds of `CLOCK_MONOTONIC`; nil unsets it.
  public func setDeadline(_ deadlineNanoseconds: UInt64?, of source: ReactorSource) {
    let identifier = source.identifier
    guard isLive(identifier) else { return }
    let deadline = deadlineNanoseconds ?? .max
    let old = state.pointee.slots[Int(identifier.index)].deadlineNanoseconds
    guard deadline != old else { return }
    state.pointee.slots[Int(identifier.index)].deadlineNanoseconds = deadline
    // Entries are not removed from the heap when a deadline moves: one that no longer matches its source's deadline
    // is passed over when it surfaces.
    if deadline != .max {
      state.pointee.timers.insert(TimerEntry(deadlineNanoseconds: deadline, identifier: identifier))
    }
    if state.pointee.timers.count > 64, state.pointee.timers.count > 8 * state.pointee.liveSourceCount {
      rebuildTimers()
    }
  }

  private func rebuildTimers() {
    var timers = Heap<TimerEntry>()
    for (index, slot) in state.pointee.slots.enumerated() where slot.source != nil && slot.deadlineNanoseconds != .max {
      timers.insert(
        TimerEntry(
          deadlineNanoseconds: slot.deadlineNanoseconds,
          identifier: SourceIdentifier(index: UInt32(index), generation: slot.generation)))
    }
    state.pointee.timers = timers
  }

  func nextDeadline() -> UInt64? {
    while let first = state.pointee.timers.min {
      if isLive(first.identifier),
        state.pointee.slots[Int(first.identifier.index)].deadlineNanoseconds == first.deadlineNanoseconds
      {
        return first.deadlineNanoseconds
      }
      _ = state.pointee.timers.popMin()
    }
    return nil
  }

  func expireDeadlines() -> Int {
    var handled = 0
    // A source may set a deadline that has passed already: its turn comes again, but not in this turn for ever.
    var budget = state.pointee.timers.count
    while budget > 0, let deadline = nextDeadline(), deadline <= state.pointee.nowNanoseconds {
      budget -= 1
      guard let entry = state.pointee.timers.popMin() else { break }
      state.pointee.slots[Int(entry.identifier.index)].deadlineNanoseconds = .max
      state.pointee.slots[Int(entry.identifier.index)].source?._withUnsafeGuaranteedRef { $0.deadlineExpired() }
      handled += 1
    }
    return handled
  }
}
