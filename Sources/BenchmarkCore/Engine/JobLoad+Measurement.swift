/// What is measured beside the I/Os themselves: a hundred times a second, at a phase's end, and at the end of the ramp.
extension JobLoad {
  static var periodicInterval: UInt64 { 10_000_000 }

  mutating func periodic(_ now: UInt64) {
    nextPeriodic = now &+ Self.periodicInterval
    if isRamping, now >= rampEnd {
      isRamping = false
      resetForMeasurement(now)
      progress.state = .running
    }
    publish()
    if !isRamping {
      log?.periodic(now)
      histogramLog?.periodic(now)
    }
    if setup.options.measuresBandwidth, !isRamping {
      sampleBandwidth(now)
      sampleIOPS(now)
    }
    if progress.isSnapshotWanted {
      statistics.usage = ProcessorUsage.ofCallingThread().since(usageAtStart)
      statistics.totalRuntime = now - measureStart
      statistics.measuredTime = measureStart...now
      var copy = assembled(detached: true)
      for direction in DataDirection.allCases where operationsInPhase(direction) > 0 {
        copy.directions[direction].runtime += now - phaseStart
      }
      progress.deliver(copy)
    }
  }

  private func operationsInPhase(_ direction: DataDirection) -> UInt64 {
    let now = directions[direction.rawValue].operations
    switch direction {
    case .read: return now - phaseOperations.0
    case .write: return now - phaseOperations.1
    case .trim: return now - phaseOperations.2
    }
  }

  /// Adds the phase's length to the directions that did something in it.
  mutating func closePhase() {
    let now = clock.now()
    for direction in DataDirection.allCases where operationsInPhase(direction) > 0 {
      directions[direction.rawValue].runtime += now - phaseStart
    }
    phaseOperations = (directions[0].operations, directions[1].operations, directions[2].operations)
    phaseStart = now
  }

  /// Where a depth is searched for: how many may be in flight, and whether it is found.
  @inline(never)
  mutating func searchDepth(_ now: UInt64) {
    guard !isRamping, let verdict = search?.look(now, inFlight: inFlight) else { return }
    inFlightLimit = search?.limit ?? loop.depth
    searchedDepth = search?.depth
    switch verdict {
    case .goOn: break
    case .found: resetForMeasurement(now)
    case .ended: isStopping = true
    case .failed: noDepthIsFound("an I/O took longer")
    }
  }

  private mutating func noDepthIsFound(_ why: String) {
    let target = setup.options.latencyTarget / 1000
    note(JobFailure(.timeout, "latency_target=\(target) µs is too short: \(why) with no other one in flight"))
    giveUp()
  }

  /// The work is over: what follows it has the whole depth.
  mutating func endSearch() {
    if !hasGivenUp, let conclusion = search?.conclusion {
      switch conclusion {
      case .settled: break
      case .unfinished(let depth):
        searchedDepth = depth
        searchIsUnfinished = true
      case .failed:
        noDepthIsFound("in each latency_window more I/Os took longer than latency_percentile allows,")
      }
    }
    search = nil
    inFlightLimit = loop.depth
  }

  /// The ramp, or a search, is over: what was counted so far was only for show.
  private mutating func resetForMeasurement(_ now: UInt64) {
    for index in 0..<3 {
      switch index {
      case 0:
        publishedBase.0 += directions[0].byteCount
        publishedBase.1 += directions[0].operations
      case 1:
        publishedBase.2 += directions[1].byteCount
        publishedBase.3 += directions[1].operations
      default:
        publishedBase.4 += directions[2].byteCount
        publishedBase.5 += directions[2].operations
      }
      directions[index] = DirectionStatistics()
    }
    statistics = JobStatistics()
    phaseOperations = (0, 0, 0)
    measureStart = now
    phaseStart = now
    bandwidthWindow.begin(at: now)
    iopsWindow.begin(at: now)
    log?.begin(at: now)
    histogramLog?.begin(at: now)
    usageAtStart = ProcessorUsage.ofCallingThread()
    search?.begin(at: now)
    restartSchedule(now)
  }

  func publish() {
    progress.publish(
      .read, byteCount: publishedBase.0 + directions[0].byteCount,
      operations: publishedBase.1 + directions[0].operations)
    progress.publish(
      .write, byteCount: publishedBase.2 + directions[1].byteCount,
      operations: publishedBase.3 + directions[1].operations)
    progress.publish(
      .trim, byteCount: publishedBase.4 + directions[2].byteCount,
      operations: publishedBase.5 + directions[2].operations)
  }

  private mutating func sampleBandwidth(_ now: UInt64) {
    let counts = (directions[0].byteCount, directions[1].byteCount, directions[2].byteCount)
    guard let sample = bandwidthWindow.sample(now, counts) else { return }
    func record(_ index: Int, _ added: UInt64) {
      guard added > 0 || directions[index].bandwidth.count > 0 else { return }
      directions[index].bandwidth.record(UInt64(Double(added) / 1024 * 1e9 / Double(sample.elapsed)))
    }
    record(0, sample.added.0)
    record(1, sample.added.1)
    record(2, sample.added.2)
  }

  private mutating func sampleIOPS(_ now: UInt64) {
    let counts = (directions[0].operations, directions[1].operations, directions[2].operations)
    guard let sample = iopsWindow.sample(now, counts) else { return }
    func record(_ index: Int, _ added: UInt64) {
      guard added > 0 || directions[index].iops.count > 0 else { return }
      directions[index].iops.record(UInt64(Double(added) * 1e9 / Double(sample.elapsed)))
    }
    record(0, sample.added.0)
    record(1, sample.added.1)
    record(2, sample.added.2)
  }

  func assembled(detached: Bool) -> JobStatistics {
    var result = detached ? statistics.detachedCopy() : statistics
    result.searchedDepth = searchedDepth
    for direction in DataDirection.allCases {
      let part = directions[direction.rawValue]
      result.directions[direction] = detached ? part.detachedCopy() : part
    }
    return result
  }
}
