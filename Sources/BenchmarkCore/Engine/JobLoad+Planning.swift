/// What comes next, and when it may go.
extension JobLoad {
  /// Plans the next I/O into `pending`; false when there is none.
  mutating func fetchNext(_ now: UInt64) -> Bool {
    switch phase {
    case .work:
      if loop.backlogLimit > 0, backlog.count >= loop.backlogLimit {
        phase = .backlog
        backlogLeft = loop.backlogBatch
        return fetchNext(now)
      }
      return fetchWork(now)
    case .backlog:
      if backlogLeft > 0, let entry = backlog.popFirst() {
        backlogLeft -= 1
        planVerify(entry.offset, entry.byteCount)
        return true
      }
      phase = .work
      return fetchWork(now)
    case .finalVerify:
      if loop.backlogLimit > 0 {
        guard let entry = backlog.popFirst() else { return false }
        planVerify(entry.offset, entry.byteCount)
        return true
      }
      guard let run = ledger.nextWritten(from: finalIndex, limit: loop.unitsPerRead) else { return false }
      finalIndex = run.upperBound
      planVerify(ledger.offset(of: run.lowerBound), UInt32(UInt64(run.count) * ledger.unit))
      return true
    }
  }

  private mutating func planVerify(_ offset: UInt64, _ byteCount: UInt32) {
    pending = IOSlot(purpose: .verify, direction: .read, byteCount: byteCount, offset: offset)
    hasPending = true
  }

  private mutating func fetchWork(_ now: UInt64) -> Bool {
    if loop.flushEvery > 0, writesSinceFlush >= loop.flushEvery {
      writesSinceFlush = 0
      pending = IOSlot(purpose: .flush, direction: .write)
      hasPending = true
      return true
    }
    var direction = workload.nextDirection()
    if loop.isRated, loop.isMixed {
      // As with fio: the mix chooses, and only who is ahead of its schedule gives way, to one that is to start earlier.
      let other = direction == .read ? DataDirection.write : .read
      let start = scheduledStart(direction)
      if start > now, scheduledStart(other) < start, workload.hasShare(other) { direction = other }
    }
    guard let operation = workload.next(direction) else { return false }
    pending = IOSlot(
      purpose: .work, direction: direction, byteCount: operation.byteCount, offset: operation.offset)
    if loop.isRated { pending.start = plannedStart(direction, operation.byteCount) }
    if direction == .write { writesSinceFlush &+= 1 }
    hasPending = true
    return true
  }

  /// The schedule begins anew: what the job has fallen behind until now is not caught up, as with fio.
  mutating func restartSchedule(_ now: UInt64) {
    readPacer?.start(at: now)
    writePacer?.start(at: now)
    trimPacer?.start(at: now)
    if hasPending, pending.start > 0 { pending.start = plannedStart(pending.direction, pending.byteCount) }
  }

  /// The job ends: how many I/Os its schedule had due that have not been issued. Their waiting is in no latency.
  mutating func countOverdue(_ now: UInt64) {
    guard phase != .finalVerify else { return }
    if hasPending, pending.start > 0, pending.start < now { overdueCount += 1 }
    if prepared >= 0, slots[prepared].purpose == .work, scheduledStart(slots[prepared].direction) > 0 {
      overdueCount += 1
    }
    for direction in DataDirection.allCases {
      if loop.isMixed, !workload.hasShare(direction) { continue }
      let pacer = direction == .read ? readPacer : direction == .write ? writePacer : trimPacer
      let byteCount = setup.options.blockSizes[direction].smallest
      overdueCount = overdueCount.addingSaturating(pacer?.overdueCount(at: now, byteCount: byteCount) ?? 0)
    }
  }

  /// When the schedule wants the next I/O of a direction to start; 0 without a rate.
  @inline(__always)
  private func scheduledStart(_ direction: DataDirection) -> UInt64 {
    switch direction {
    case .read: readPacer?.nextStart ?? 0
    case .write: writePacer?.nextStart ?? 0
    case .trim: trimPacer?.nextStart ?? 0
    }
  }

  /// When the schedule wants this I/O to start, which is then none that is still to be planned; 0 without a rate.
  private mutating func plannedStart(_ direction: DataDirection, _ byteCount: UInt32) -> UInt64 {
    let start = scheduledStart(direction)
    switch direction {
    case .read: readPacer?.plan(byteCount: byteCount)
    case .write: writePacer?.plan(byteCount: byteCount)
    case .trim: trimPacer?.plan(byteCount: byteCount)
    }
    return start
  }

  /// Think time: nil when the next I/O may go, else when to look again.
  @inline(__always)
  mutating func holdUntil(_ now: UInt64) -> UInt64? {
    guard loop.thinkTime > 0, pending.purpose == .work else { return nil }
    if thinkUntil > now { return thinkUntil }
    if !isQuiescing {
      guard hasIssuedSinceThink, countedSinceThink >= loop.thinkBlocks else { return nil }
      // As with fio, what ends from now on counts for the next pause, before which at least one I/O goes.
      hasIssuedSinceThink = false
      countedSinceThink = 0
      isQuiescing = true
    }
    // The pause begins when everything is back, whichever I/Os count.
    if inFlight > 0 { return UInt64.max }
    isQuiescing = false
    thinkUntil = now &+ loop.thinkTime
    let spin = setup.options.thinkTimeSpin
    if spin > 0 {
      while clock.now() < now &+ spin {}
    }
    if setup.options.rateIgnoresThinkTime {
      readPacer?.postpone(by: loop.thinkTime)
      writePacer?.postpone(by: loop.thinkTime)
      trimPacer?.postpone(by: loop.thinkTime)
    }
    return thinkUntil
  }
}
