/// Sources: their places in the table, and their turns.
extension Reactor {
  func reserveIdentifier() -> SourceIdentifier {
    if let index = state.pointee.freeIndices.popLast() {
      return SourceIdentifier(index: index, generation: state.pointee.slots[Int(index)].generation)
    }
    state.pointee.slots.append(Slot(source: nil, generation: 1))
    // Room for all sources at once, each a second time while a round goes over the list: an I/O is not to be what makes
    // the lists grow.
    let capacity = 2 * state.pointee.slots.capacity
    if state.pointee.dirty.capacity < capacity { state.pointee.dirty.reserveCapacity(capacity) }
    if state.pointee.ready.capacity < capacity { state.pointee.ready.reserveCapacity(capacity) }
    return SourceIdentifier(index: UInt32(state.pointee.slots.count - 1), generation: 1)
  }

  func adopt(_ source: ReactorSource) {
    state.pointee.slots[Int(source.identifier.index)].source = .passRetained(source)
    state.pointee.liveSourceCount += 1
  }

  func remove(_ source: ReactorSource) {
    let index = Int(source.identifier.index)
    guard isLive(source.identifier) else { return }
    if !state.pointee.polled.isEmpty { stopPolling(source) }
    let reference = state.pointee.slots[index].source
    state.pointee.slots[index] = Slot(
      source: nil, generation: state.pointee.slots[index].generation &+ 1)
    state.pointee.freeIndices.append(source.identifier.index)
    state.pointee.liveSourceCount -= 1
    if let reference { state.pointee.retired.append(reference) }
  }

  func isLive(_ identifier: SourceIdentifier) -> Bool {
    let index = Int(identifier.index)
    return index < state.pointee.slots.count && state.pointee.slots[index].generation == identifier.generation
      && state.pointee.slots[index].source != nil
  }

  /// Has ``ReactorSource/flush()`` called before the next submission. Cheap to repeat.
  public func markDirty(_ source: ReactorSource) {
    let identifier = source.identifier
    let slot = Int(identifier.index)
    // A source that has retired may have given its place in the table to another one.
    guard isLive(identifier), !state.pointee.slots[slot].isDirty else { return }
    state.pointee.slots[slot].isDirty = true
    state.pointee.dirty.append(identifier)
  }

  /// Has ``ReactorSource/run()`` called later in this turn, or in the next. Cheap to repeat.
  public func markReady(_ source: ReactorSource) {
    markReady(source.identifier)
  }

  func markReady(_ identifier: SourceIdentifier) {
    guard isLive(identifier), !state.pointee.slots[Int(identifier.index)].isReady else { return }
    state.pointee.slots[Int(identifier.index)].isReady = true
    state.pointee.ready.append(identifier)
  }

  /// Whether so few sources are flushed in this turn that each may as well hand its output to the kernel by itself: the
  /// ring takes that of many at once.
  public var flushesFew: Bool { state.pointee.dirty.count <= 4 }

  func flushDirtySources() {
    // A flush may make other sources dirty; a bounded number of rounds, the rest comes next turn.
    var rounds = 0
    while !state.pointee.dirty.isEmpty && rounds < 4 {
      rounds += 1
      var position = 0
      let count = state.pointee.dirty.count
      while position < count {
        let identifier = state.pointee.dirty[position]
        position += 1
        guard isLive(identifier) else { continue }
        state.pointee.slots[Int(identifier.index)].isDirty = false
        state.pointee.slots[Int(identifier.index)].source?._withUnsafeGuaranteedRef { $0.flush() }
      }
      state.pointee.dirty.removeFirst(count)
    }
  }

  func runReadySources() -> Int {
    var handled = 0
    if !handle.localJobs.pointee.isEmpty { handled += runJobs() }
    var rounds = 0
    while !state.pointee.ready.isEmpty && rounds < 8 {
      rounds += 1
      let count = state.pointee.ready.count
      var position = 0
      while position < count {
        let identifier = state.pointee.ready[position]
        position += 1
        guard isLive(identifier) else { continue }
        state.pointee.slots[Int(identifier.index)].isReady = false
        state.pointee.slots[Int(identifier.index)].source?._withUnsafeGuaranteedRef { $0.run() }
      }
      state.pointee.ready.removeFirst(count)
      handled += count
    }
    return handled
  }

  func releaseRetired() {
    guard !state.pointee.retired.isEmpty else { return }
    var retired: [Unmanaged<ReactorSource>] = []
    swap(&retired, &state.pointee.retired)
    for source in retired { source.release() }
  }
}
