internal import BlockDevice

extension World {
  func carryOut(_ first: MultipathDecision, _ index: Int) throws(Violation) {
    var decision = first
    while true {
      switch decision {
      case .submit(let path):
        if try send(index, path) { return }
        decision = engine.completed(index, outcome: .notSent, status: .hostPathingError, nowNanoseconds: now)
      case .hold: return
      case .finish: throw violation("request \(index) has ended without having been answered")
      case .fail(let outcome, _):
        try end(index, outcome, readValue: 0)
        return
      }
    }
  }

  func send(_ index: Int, _ path: Int) throws(Violation) -> Bool {
    guard paths[path].recovery.association == .ready, !paths[path].isLost else { return false }
    let request = requests[index]
    try checkProbation(request, path)
    queue.schedule(
      .commandTimeout(path: path, command: commands.count, isAborted: false),
      in: Self.ioTimeoutMilliseconds * Self.millisecond)
    commands.append(
      SimulatedCommand(
        request: index, path: path, association: paths[path].association, isWrite: request.isWrite,
        block: request.block, value: request.value, isUnsent: chance(0.1)))
    queue.schedule(.execute(command: commands.count - 1), in: milliseconds(chance(0.1) ? 0...400 : 0...3))
    return true
  }

  func complete(_ index: Int, _ outcome: BlockOutcome, _ status: StatusField) throws(Violation) {
    guard !commands[index].hasEnded else { return }
    commands[index].hasEnded = true
    let command = commands[index]
    if bug == .completionForgotten && !bugHasStruck && chance(0.02) {
      bugHasStruck = true
      return
    }
    if outcome == .deviceError && !status.matches(.commandAbortRequested) {
      requests[command.request].hasBeenAnswered = true
    }
    var outcome = outcome
    if outcome == .connectionLost && command.isWrite {
      if bug == .lostTakenForNotSent { outcome = .notSent }
      if bug == .lostTakenForDone && chance(0.2) { outcome = .success }
    }
    try completed(command, outcome, status)
    if bug == .completionTwice && !bugHasStruck && chance(0.02) {
      bugHasStruck = true
      try completed(command, outcome, status)
    }
  }

  func completed(_ command: SimulatedCommand, _ outcome: BlockOutcome, _ status: StatusField) throws(Violation) {
    let decision = engine.completed(command.request, outcome: outcome, status: status, nowNanoseconds: now)
    if decision == .finish {
      try end(command.request, .success, readValue: command.value)
    } else {
      try carryOut(decision, command.request)
    }
    while engine.pathsWantingAccessRefresh != 0 {
      let path = engine.pathsWantingAccessRefresh.trailingZeroBitCount
      engine.pathsWantingAccessRefresh &= engine.pathsWantingAccessRefresh - 1
      queue.schedule(.accessKnown(path: path), in: milliseconds(0...20))
    }
    keepEngineTime()
  }

  func release() throws(Violation) {
    engine.beginRelease()
    while let next = engine.nextReleased(nowNanoseconds: now) { try carryOut(next.decision, next.index) }
    keepEngineTime()
  }

  func keepEngineTime() {
    if let deadline = engine.nextDeadlineNanoseconds { queue.schedule(.engineDeadline, at: deadline) }
  }

  func updatePath(_ path: Int) {
    paths[path].probation.look(
      paths[path].recovery.statistics, isConnected: paths[path].recovery.state == .enabled)
    let simulated = paths[path]
    if let due = simulated.probation.dueNanoseconds {
      queue.schedule(.probe(path: path, number: simulated.probation.number), at: due)
    }
    var availability = PathAvailability(
      state: simulated.recovery.state, disposition: simulated.recovery.ioDisposition,
      hasBeenEnabled: simulated.recovery.statistics.lastEnabledNanoseconds != nil, ana: simulated.knownANAState)
    if availability.isUsable && !simulated.knowsNamespace { availability = .unavailable(.namespaceMissing) }
    if simulated.recovery.state == .deleted {
      engine.remove(path)
      return
    }
    var rule = simulated.rule
    if bug == .fenceForgetsTraffic { rule.isTrafficBased = false }
    var milliseconds = rule.quiesceMilliseconds
    if bug == .fenceForgetsQuiesceTime {
      milliseconds = UInt64(rule.keepAliveTimeoutMilliseconds) * (rule.isTrafficBased ? 3 : 2)
    }
    engine.update(
      path,
      MultipathPathUpdate(
        availability: availability, isOnProbation: simulated.probation.isOn && bug != .probationForgotten,
        association: simulated.association,
        quiesceNanoseconds: milliseconds.map { $0 * Self.millisecond }, commandRetryDelayTimes: [1, 3, 10]))
  }
}
