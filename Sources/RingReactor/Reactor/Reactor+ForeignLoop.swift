internal import CLiburing
internal import Glibc

/// In a foreign event loop: it watches a descriptor, and turns the reactor.
extension Reactor {
  /// A descriptor that is readable whenever ``turnFromEventLoop()`` has something to do: to be watched level-triggered.
  /// It stays the reactor's. Ask for it on the reactor's thread.
  ///
  /// It is not the ring's own: polling that one does not notice work that the kernel has deferred (DEFER_TASKRUN). Behind
  /// it are an eventfd that the ring signals, and the mailbox's, because an eventfd does not reliably signal another one.
  ///
  /// - Throws: ``RingError/systemCall(name:errno:)``.
  public func pollableFileDescriptor() throws(RingError) -> Int32 {
    if state.pointee.foreign.epoll >= 0 { return state.pointee.foreign.epoll }
    let event = eventfd(0, nvmeof_eventfd_flags)
    guard event >= 0 else { throw .systemCall(name: "eventfd", errno: errno) }
    let code = ring.register(eventDescriptor: event)
    guard code == 0 else {
      close(event)
      throw .systemCall(name: "io_uring_register_eventfd", errno: -code)
    }
    let epoll = nvmeof_epoll_of(event, handle.eventDescriptor)
    guard epoll >= 0 else {
      let code = errno
      ring.unregisterEventDescriptor()
      close(event)
      throw .systemCall(name: "epoll_create1", errno: code)
    }
    state.pointee.foreign = ForeignDescriptors(event: event, epoll: epoll)
    endPolling()
    return epoll
  }

  /// One turn for a foreign event loop: handles what is there, never waits, and leaves the ring armed so that
  /// ``pollableFileDescriptor()`` becomes readable at the next completion, message or deadline.
  ///
  /// Call it once after asking for the descriptor, and whenever sources have been used from outside of it.
  @discardableResult
  public func turnFromEventLoop() -> Int {
    var handled = 0
    var counter: UInt64 = 0
    // First, so that nothing that happens from now on goes unnoticed.
    _ = read(state.pointee.foreign.event, &counter, 8)
    for _ in 0..<Self.maximumForeignTurns {
      handled += turn(.none)
      armForeignTimeout()
      armEventPoll()
      // All that has been prepared must be with the kernel, and nothing left to do: nobody else will see to it.
      if ring.unsubmittedCount == 0 && !ring.hasCompletions && !hasPendingWork { return handled }
    }
    // The foreign loop has others to serve: it is asked to come again at once.
    _ = ring.submitAndCollect()
    handle.wake()
    return handled
  }

  private static let maximumForeignTurns = 32

  /// In a foreign event loop nobody passes a time-out to the kernel for us: a timeout entry makes the ring readable.
  private func armForeignTimeout() {
    guard let deadline = nextDeadline(), deadline < state.pointee.armedForeignDeadlineNanoseconds else { return }
    state.pointee.armedForeignDeadlineNanoseconds = deadline
    state.pointee.foreignTimeout = __kernel_timespec(
      tv_sec: Int64(deadline / 1_000_000_000), tv_nsec: Int64(deadline % 1_000_000_000))
    let timeout = UnsafeMutableRawPointer(state)
      .advanced(by: MemoryLayout<State>.offset(of: \State.foreignTimeout)!)
      .assumingMemoryBound(to: __kernel_timespec.self)
    io_uring_prep_timeout(
      entry(internalOperation: InternalOperation.foreignTimeout), timeout, 0, UInt32(IORING_TIMEOUT_ABS))
  }
}
