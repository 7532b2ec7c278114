/// One I/O, from its slot and its data to what has become of it.
extension JobLoad {
  /// The next I/O, with its slot and its data. It comes again until it is `accepted` or `refused`.
  ///
  /// - Parameter now: the time; read anew where making the data took some.
  @inline(__always)
  mutating func next(_ now: inout UInt64) -> Next {
    if prepared < 0 {
      guard inFlight < inFlightLimit else { return .nothing }
      if !hasPending {
        if sourceIsDry { return .nothing }
        if !fetchNext(now) {
          sourceIsDry = true
          return .nothing
        }
      }
      if pending.start > now { return .notBefore(pending.start) }
      if let until = holdUntil(now) { return .notBefore(until) }
      // The job's own pause is no latency of the device; the schedule stays.
      if pending.start > 0 { pending.start = max(pending.start, thinkUntil) }
      if loop.keepsLedger, pending.purpose != .flush, ledger.isBusy(pending.offset, pending.byteCount) {
        return .nothing
      }
      let isPlanned = pending.start > 0
      let fills = prepare(now)
      if fills {
        // Making the data is not part of the I/O, unless it was to start at a certain time.
        now = clock.now()
        if !isPlanned { slots[prepared].start = now }
      }
    }
    return .submit(preparedCommand())
  }

  /// The I/O that `next` gave is on its way. The time, read anew where submission latencies are measured: without them
  /// one reading of the clock serves a whole batch.
  @inline(__always)
  mutating func accepted(_ now: UInt64) -> UInt64 {
    let after = loop.recordsSubmission ? clock.now() : now
    let index = prepared
    prepared = -1
    inFlight += 1
    // A rated I/O's waiting before it was submitted belongs to its completion latency, see `complete`.
    slots[index].submission = after &- now
    if slots[index].purpose != .flush { statistics.depths.recordDepth(inFlight) }
    return after
  }

  /// The channel does not take the I/O that `next` gave.
  mutating func refused(_ why: String) {
    let index = prepared
    prepared = -1
    failed(index, why)
    release(index)
  }

  /// Gives the pending I/O a slot and its data; true when making the data took time.
  @inline(__always)
  private mutating func prepare(_ now: UInt64) -> Bool {
    freeCount -= 1
    let index = Int(freeSlots[freeCount])
    hasPending = false
    if pending.start == 0 { pending.start = now }
    slots[index] = pending
    prepared = index
    if pending.purpose == .work {
      hasIssuedSinceThink = true
      if loop.thinksAtIssue { countedSinceThink &+= 1 }
    }
    guard pending.purpose != .flush else { return false }
    if loop.keepsLedger {
      switch (pending.purpose, pending.direction) {
      case (.verify, _): ledger.beginRead(pending.offset, pending.byteCount)
      case (_, .write): ledger.beginWrite(pending.offset, pending.byteCount)
      default: break
      }
    }
    guard pending.direction == .write else { return false }
    if loop.fillsForVerify {
      fillUnits(index)
      return true
    }
    guard loop.refills else { return false }
    let seed = RandomGenerator.splitMix(&fillSeed)
    BufferFiller.fill(
      UnsafeMutableRawBufferPointer(start: buffers + index * bufferStride, count: Int(pending.byteCount)),
      setup.options, seed: seed)
    return true
  }

  private mutating func fillUnits(_ index: Int) {
    let unit = verifier.unit
    var place = 0
    while place < Int(pending.byteCount) {
      let offset = pending.offset + UInt64(place)
      verifier.fill(
        UnsafeMutableRawBufferPointer(start: buffers + index * bufferStride + place, count: unit),
        offset: offset, generation: ledger.latestGeneration(at: ledger.index(of: offset)))
      place += unit
    }
  }

  @inline(__always)
  private func preparedCommand() -> ChannelCommand {
    let slot = slots[prepared]
    let operation: ChannelOperation
    if slot.purpose == .flush {
      operation = .flush
    } else if slot.purpose == .verify || (loop.checksWorkReads && slot.direction == .write) {
      // verify_only: what would be written is read and checked.
      operation = .read
    } else {
      switch slot.direction {
      case .read: operation = .read
      case .write: operation = .write
      case .trim: operation = .trim
      }
    }
    return ChannelCommand(
      operation: operation, forceUnitAccess: loop.forceUnitAccess && operation == .write, token: UInt32(prepared),
      byteCount: slot.byteCount, offset: slot.offset, buffer: buffers + prepared * bufferStride)
  }

  /// Takes back an I/O that was filled in but never taken by the channel.
  mutating func cancelPrepared() {
    guard prepared >= 0 else { return }
    let slot = slots[prepared]
    if loop.keepsLedger, slot.purpose != .flush {
      if slot.purpose == .verify { ledger.endRead(slot.offset, slot.byteCount) }
      if slot.purpose == .work, slot.direction == .write { ledger.cancelWrite(slot.offset, slot.byteCount) }
    }
    release(prepared)
    prepared = -1
  }

  @inline(__always)
  private mutating func release(_ index: Int) {
    slots[index].purpose = .free
    freeSlots[freeCount] = UInt32(index)
    freeCount += 1
  }

  /// An I/O has ended.
  ///
  /// - Parameter why: of a failure; asked for only then.
  mutating func complete(
    _ completion: ChannelCompletion, _ now: UInt64, _ why: @autoclosure () -> String
  ) {
    let index = Int(completion.token)
    // A channel that returns what was never given to it is wrong; counting it twice would hide that.
    guard index < loop.depth, slots[index].purpose != .free else {
      note(JobFailure(.io, "the device completed an I/O that was not in flight (token \(completion.token))"))
      return
    }
    inFlight -= 1
    let slot = slots[index]
    defer { release(index) }
    let total = now > slot.start ? now - slot.start : 0
    guard completion.isSuccess else {
      statistics.longestFailure = max(statistics.longestFailure, total)
      failed(index, why())
      return
    }
    guard slot.purpose != .flush else {
      statistics.sync.record(total)
      statistics.syncHistogram.record(total)
      return
    }
    // With a rate, `start` is the planned start: waiting for a free slot counts as completion latency, so that
    // submission + completion = total and percentiles show stalls.
    let submission = min(slot.submission, total)
    let completionLatency = total - submission
    if !loop.thinksAtIssue, slot.purpose == .work { countedSinceThink &+= 1 }
    let direction = loop.checksWorkReads ? DataDirection.read : slot.direction
    let result = directions + direction.rawValue
    result.pointee.operations &+= 1
    result.pointee.byteCount &+= UInt64(slot.byteCount)
    if loop.recordsSubmission {
      result.pointee.submission.record(submission)
      if loop.wantsSubmissionPercentiles { result.pointee.submissionHistogram.record(submission) }
    }
    if loop.recordsCompletion {
      result.pointee.completion.record(completionLatency)
      if loop.wantsCompletionPercentiles { result.pointee.completionHistogram.record(completionLatency) }
      statistics.latencies.record(completionLatency)
      if let histogramLog, !isRamping {
        histogramLog.record(direction, byteCount: slot.byteCount, completion: completionLatency)
      }
    }
    if loop.recordsTotal {
      result.pointee.total.record(total)
      if loop.wantsTotalPercentiles { result.pointee.totalHistogram.record(total) }
    }
    if let log, !isRamping {
      log.record(
        direction, offset: slot.offset, byteCount: slot.byteCount, submission: submission, total: total, at: now)
    }
    if total > loop.maximumLatency {
      note(
        JobFailure(
          .timeout,
          "an I/O at offset \(slot.offset) took \(total / 1000) µs, longer than max_latency"))
      giveUp()
    }
    if !isRamping { search?.record(total) }
    if slot.purpose == .verify || loop.checksWorkReads {
      check(index, slot)
    } else if loop.keepsLedger, slot.direction == .write {
      ledger.endWrite(slot.offset, slot.byteCount)
      if loop.backlogLimit > 0 { backlog.append(BlockRing.Entry(offset: slot.offset, byteCount: slot.byteCount)) }
    }
  }

  private mutating func check(_ index: Int, _ slot: IOSlot) {
    let unit = verifier.unit
    var place = 0
    while place < Int(slot.byteCount) {
      let offset = slot.offset + UInt64(place)
      let length = min(unit, Int(slot.byteCount) - place)
      var generation: UInt32?
      if slot.purpose == .verify {
        let known = ledger.generation(at: ledger.index(of: offset))
        // Unknown since a write failed: nothing can be said of the content.
        if known == 0 {
          place += unit
          continue
        }
        generation = known
      }
      statistics.verifiedBlocks &+= 1
      if length == unit,
        let difference = verifier.check(
          UnsafeRawBufferPointer(start: buffers + index * bufferStride + place, count: unit), offset: offset,
          generation: generation)
      {
        statistics.verifyFailures &+= 1
        note(JobFailure(.verify, difference.description))
        if setup.options.verifyIsFatal || !setup.options.continueOnError.contains(.verify) && slot.purpose == .work {
          giveUp()
        }
      }
      place += unit
    }
    if slot.purpose == .verify { ledger.endRead(slot.offset, slot.byteCount) }
  }

  private mutating func failed(_ index: Int, _ why: String) {
    let slot = slots[index]
    let what: String
    switch (slot.purpose, slot.direction) {
    case (.flush, _): what = "flush"
    case (.verify, _): what = "read for verify"
    default: what = slot.direction.label
    }
    note(JobFailure(.io, "\(what) at offset \(slot.offset), length \(slot.byteCount): \(why)"))
    directions[slot.direction.rawValue].failures &+= 1
    if loop.keepsLedger, slot.purpose != .flush {
      if slot.purpose == .verify {
        ledger.endRead(slot.offset, slot.byteCount)
      } else if slot.direction == .write {
        ledger.forget(slot.offset, slot.byteCount)
      }
    }
    let tolerated: ContinueOnError = slot.purpose == .flush || slot.direction != .read ? .write : .read
    if !setup.options.continueOnError.contains(tolerated) { giveUp() }
  }

  mutating func giveUp() {
    hasGivenUp = true
    isStopping = true
  }

  mutating func note(_ newFailure: JobFailure) {
    failureCount &+= 1
    if failure == nil {
      failure = newFailure
      if setup.options.endsAllOnError { stop.stopAll() }
    }
  }
}
