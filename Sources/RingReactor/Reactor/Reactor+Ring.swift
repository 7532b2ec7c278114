internal import CLiburing

/// The ring: entries on their way down, completions on their way up.
extension Reactor {
  /// An index no source gets: the reactor's own entries.
  private static let internalIndex: UInt32 = 0xFF_FFFF
  enum InternalOperation {
    static let eventPoll: UInt8 = 1
    static let foreignTimeout: UInt8 = 2
    static let cancelAll: UInt8 = 3
  }

  /// An entry of the submission ring for `operation` of `source`, ready to be prepared. Submits first when full.
  func entry(for source: ReactorSource, operation: UInt8, tag: UInt16 = 0) -> UnsafeMutablePointer<io_uring_sqe> {
    entry(userData: source.identifier.userData(operation: operation, tag: tag))
  }

  private func entry(userData: UInt64) -> UnsafeMutablePointer<io_uring_sqe> {
    while true {
      if let entry = ring.nextEntry() {
        // `io_uring_prep_*` of liburing 2.3 leave user_data alone, so it can be set before.
        entry.pointee.user_data = userData
        state.pointee.entriesInFlight += 1
        return entry
      }
      // Full: hand over what is there. EBUSY and EAGAIN pass once completions have been collected by the kernel.
      _ = ring.submitAndCollect()
    }
  }

  /// An entry of the reactor's own.
  func entry(internalOperation operation: UInt8) -> UnsafeMutablePointer<io_uring_sqe> {
    entry(userData: SourceIdentifier(index: Self.internalIndex, generation: 0).userData(operation: operation, tag: 0))
  }

  func cancelAll() {
    guard state.pointee.entriesInFlight > 0 else { return }
    io_uring_prep_cancel(
      entry(internalOperation: InternalOperation.cancelAll), nil,
      Int32(IORING_ASYNC_CANCEL_ANY) | Int32(IORING_ASYNC_CANCEL_ALL))
  }

  func reap() -> Int {
    var handled = 0
    let batch = 64
    return withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<io_uring_cqe>?.self, capacity: batch) { entries in
      while true {
        let count = Int(io_uring_peek_batch_cqe(ring.pointer, entries.baseAddress!, UInt32(batch)))
        if count == 0 { return handled }
        for position in 0..<count {
          let entry = entries[position]!.pointee
          if entry.flags & UInt32(IORING_CQE_F_MORE) == 0 { state.pointee.entriesInFlight -= 1 }
          dispatch(userData: entry.user_data, result: entry.res, flags: entry.flags)
        }
        io_uring_cq_advance(ring.pointer, UInt32(count))
        handled += count
        // A turn handles at most what fits the ring: others want their turn too.
        if count < batch || handled >= 4096 { return handled }
      }
    }
  }

  private func dispatch(userData: UInt64, result: Int32, flags: UInt32) {
    let identifier = SourceIdentifier(userData: userData)
    let operation = UInt8(truncatingIfNeeded: userData >> 56)
    if identifier.index == Self.internalIndex {
      switch operation {
      case InternalOperation.eventPoll:
        state.pointee.isEventPollArmed = false
        state.pointee.hasEventFired = true
      case InternalOperation.foreignTimeout: state.pointee.armedForeignDeadlineNanoseconds = .max
      default: break
      }
      return
    }
    guard Int(identifier.index) < state.pointee.slots.count else { return }
    let slot = state.pointee.slots[Int(identifier.index)]
    guard slot.generation == identifier.generation, let source = slot.source else { return }
    let completion = RingCompletion(
      operation: operation, tag: UInt16(truncatingIfNeeded: userData >> 40), result: result, flags: flags)
    source._withUnsafeGuaranteedRef { $0.completed(completion) }
  }
}
