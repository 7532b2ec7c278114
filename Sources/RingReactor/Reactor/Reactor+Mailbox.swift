internal import CLiburing
internal import Glibc
internal import Synchronization

/// The mailbox: what other threads, and tasks on this one, have left in the handle.
extension Reactor {
  func armEventPoll() {
    guard !state.pointee.isEventPollArmed, !state.pointee.isShuttingDown else { return }
    state.pointee.isEventPollArmed = true
    io_uring_prep_poll_add(
      entry(internalOperation: InternalOperation.eventPoll), handle.eventDescriptor, UInt32(POLLIN))
  }

  func drainMailbox() -> Int {
    guard state.pointee.hasEventFired || handle.isSignalled.load(ordering: .relaxed) else { return 0 }
    state.pointee.hasEventFired = false
    var counter: UInt64 = 0
    if kernel == nil { _ = read(handle.eventDescriptor, &counter, 8) }
    handle.isSignalled.store(false, ordering: .sequentiallyConsistent)
    let (messages, sources, jobs) = handle.mailbox.withLock { box in
      let content = (box.messages, box.readySources, box.jobs)
      box.messages.removeAll(keepingCapacity: true)
      box.readySources.removeAll(keepingCapacity: true)
      box.jobs.removeAll(keepingCapacity: true)
      return content
    }
    for message in messages { message(self) }
    for source in sources { markReady(source) }
    if !jobs.isEmpty {
      handle.localJobs.pointee.append(contentsOf: jobs)
    }
    return messages.count + sources.count + jobs.count
  }

  func runJobs() -> Int {
    // Two arrays that take turns: jobs enqueue new ones while they run, and nothing is allocated in the long run.
    swap(&state.pointee.runningJobs, &handle.localJobs.pointee)
    let count = state.pointee.runningJobs.count
    for position in 0..<count { handle.run(state.pointee.runningJobs[position]) }
    state.pointee.runningJobs.removeAll(keepingCapacity: true)
    return count
  }
}
