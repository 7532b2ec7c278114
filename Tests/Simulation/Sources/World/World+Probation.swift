internal import BlockDevice

extension World {
  func probe(_ path: Int, _ number: UInt64) throws(Violation) {
    guard let due = paths[path].probation.dueNanoseconds, due <= now, bug != .probeForgotten,
      paths[path].probation.number == number, paths[path].probe != number
    else { return }
    if bug == .probationEndsByTime {
      paths[path].probation.probeEnded(number, isAnswered: true, nowNanoseconds: now)
    } else if engine.selector.availability(of: path).isUsable {
      paths[path].probe = number
      let association = paths[path].association
      queue.schedule(.probeAnswer(path: path, number: number, association: association), in: milliseconds(0...3))
      queue.schedule(
        .probeTimeout(path: path, number: number, association: association),
        in: Self.ioTimeoutMilliseconds * Self.millisecond)
      return
    } else {
      paths[path].probation.probeEnded(number, isAnswered: false, nowNanoseconds: now)
    }
    updatePath(path)
    try release()
  }

  func probeAnswered(_ path: Int, _ number: UInt64, _ association: UInt64) throws(Violation) {
    let simulated = paths[path]
    guard simulated.association == association, !simulated.isLost, simulated.isReachable,
      !simulated.ignores(isWrite: false),
      simulated.probation.number == number
    else { return }
    let isAnswered = simulated.obstacle == nil
    if isAnswered {
      report.answeredProbeCount += 1
      paths[path].trust.answeredProbe(now)
    }
    paths[path].probation.probeEnded(number, isAnswered: isAnswered, nowNanoseconds: now)
    updatePath(path)
    try release()
  }

  func loseProbe(_ path: Int) {
    guard paths[path].probe == paths[path].probation.number else { return }
    paths[path].probation.probeEnded(paths[path].probe, isAnswered: false, nowNanoseconds: now)
  }

  /// The controller is asked to abort a command, and does so where it has not carried it out.
  func abort(_ path: Int, _ command: Int) throws(Violation) {
    try noteAborted(path)
    if paths[path].isReachable && !commands[command].isExecuted {
      commands[command].isDropped = true
      try complete(command, .deviceError, .commandAbortRequested)
    } else {
      queue.schedule(
        .commandTimeout(path: path, command: command, isAborted: true),
        in: Self.ioTimeoutMilliseconds * Self.millisecond)
    }
  }

  func noteAborted(_ path: Int) throws(Violation) {
    guard paths[path].recovery.state == .enabled else { return }
    report.unansweredCount += 1
    paths[path].trust.aborted(now)
    paths[path].probation.commandsUnanswered(1, nowNanoseconds: now)
    updatePath(path)
    try release()
  }

  func noteUnanswered(_ path: Int) {
    report.unansweredCount += 1
    paths[path].trust.lost(now)
    if bug == .probationsNotCounted {
      paths[path].probation = PathProbation(
        delaysMilliseconds: Self.probationMilliseconds, lossCount: paths[path].recovery.statistics.lossCount)
    }
  }

  /// What bounds the stalls: beside a path that is trusted, one that has left I/O unanswered is not used before it has
  /// answered a probe, nor sooner than its losses allow.
  func checkProbation(_ request: Request, _ path: Int) throws(Violation) {
    guard !request.hasBeenAnswered, let problem = paths[path].trust.problem(now) else { return }
    let hasOther = paths.indices.contains { other in
      other != path && !paths[other].probation.isOn && engine.selector.availability(of: other).isUsable
    }
    if hasOther { throw violation("path \(path) \(problem)") }
  }
}
