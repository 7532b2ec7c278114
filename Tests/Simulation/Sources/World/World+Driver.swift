internal import BlockDevice

extension World {
  func tell(_ path: Int, _ event: RecoveryEvent) throws(Violation) {
    let before = (paths[path].recovery.state, paths[path].recovery.ioDisposition)
    paths[path].recovery.handle(event, nowNanoseconds: now)
    while let action = paths[path].recovery.nextAction() {
      switch action {
      case .connect: connect(path)
      case .disconnect: disconnect(path)
      case .ioDispositionChanged, .stateChanged, .deleted: break
      }
    }
    if let deadline = paths[path].recovery.nextDeadlineNanoseconds {
      queue.schedule(.recoveryDeadline(path: path), at: deadline)
    }
    if before != (paths[path].recovery.state, paths[path].recovery.ioDisposition) {
      updatePath(path)
      if bug == .reconnectTakenForProof && event == .associationReady {
        for association in 0..<paths[path].association { engine.quiesced(path, association: association) }
      }
      if bug != .releaseForgotten || event != .associationReady { try release() }
    }
  }

  func connect(_ path: Int) {
    associationCount += 1
    paths[path].association = associationCount
    paths[path].isLost = false
    paths[path].isShuttingDown = false
    var error: ControllerError?
    if paths[path].refusesForGood {
      error = .connectRefused(
        queueIdentifier: 0, StatusField(.commandSpecific, 0x82, doNotRetry: true), result: 0, subsystemNQN: "",
        hostNQN: "")
    } else if !paths[path].isReachable {
      error = .transport(queueIdentifier: 0, TransportError(.timedOut, ""))
    }
    queue.schedule(
      .connected(path: path, association: associationCount, error),
      in: milliseconds(paths[path].isReachable ? 0...20 : 0...1000))
  }

  func connected(_ path: Int, _ association: UInt64, _ error: ControllerError?) throws(Violation) {
    guard paths[path].association == association, paths[path].recovery.association == .connecting else { return }
    if let error {
      try tell(path, .associationLost(error))
      queue.schedule(.closed(path: path, association: association), in: milliseconds(0...5))
      return
    }
    paths[path].knownANAState = paths[path].anaState
    paths[path].knowsNamespace = paths[path].hasNamespace
    try tell(path, .associationReady)
  }

  /// The host ends the association: in order, where the controller answers.
  func disconnect(_ path: Int) {
    let association = paths[path].association
    if paths[path].isReachable && !paths[path].isLost {
      paths[path].isShuttingDown = true
      queue.schedule(.closed(path: path, association: association), in: milliseconds(0...30))
    } else {
      queue.schedule(.closed(path: path, association: association), in: milliseconds(100...1000))
    }
  }

  func lossNoticed(_ path: Int, _ association: UInt64) throws(Violation) {
    if paths[path].association == association { try lose(path, .keepAliveTimeout(milliseconds: keepAliveMilliseconds)) }
  }

  func lose(
    _ path: Int, _ error: ControllerError = .transport(queueIdentifier: 0, TransportError(.broken, ""))
  ) throws(Violation) {
    guard paths[path].recovery.association == .ready, !paths[path].isLost else { return }
    paths[path].isLost = true
    if error == Self.unanswered && paths[path].recovery.state == .enabled { noteUnanswered(path) }
    // Commands' ends come to the channel, and the news to the home reactor, in either order.
    let isCommandsFirst = Bool.random(using: &random)
    if isCommandsFirst { try endCommands(path, isQuiesced: false) }
    try tell(path, .associationLost(error))
    loseProbe(path)
    if !isCommandsFirst { try endCommands(path, isQuiesced: false) }
    queue.schedule(.closed(path: path, association: paths[path].association), in: milliseconds(0...10))
  }

  /// Ends everything that is outstanding on a path's association; what the controller still makes of it is its affair,
  /// within the time the specification gives it.
  func endCommands(_ path: Int, isQuiesced: Bool) throws(Violation) {
    let association = paths[path].association
    let wait = (paths[path].rule.quiesceMilliseconds ?? 0) * Self.millisecond
    // Whatever is executed of it is executed by then, at its usual time or late.
    if !isQuiesced { lateUntil = max(lateUntil, now + wait) }
    for index in commands.indices
    where commands[index].path == path && commands[index].association == association && !commands[index].hasEnded {
      let command = commands[index]
      if !command.isExecuted {
        if command.isUnsent || isQuiesced || chance(0.3) {
          commands[index].isDropped = true
        } else if chance(0.7) {
          // The event that would execute it now is passed over.
          commands[index].isDropped = true
          var late = command
          late.hasEnded = true
          commands.append(late)
          // Up to the last moment.
          let time = chance(0.3) ? wait - 1 : UInt64.random(in: 0..<wait, using: &random)
          queue.schedule(.execute(command: commands.count - 1), in: time)
        }
      }
      let isCertain = command.isUnsent && !command.isExecuted
      try complete(index, isCertain ? .notSent : .connectionLost, .hostPathingError)
    }
  }

  func closed(_ path: Int, _ association: UInt64) throws(Violation) {
    guard paths[path].association == association, paths[path].recovery.association == .closing else { return }
    let isQuiesced = paths[path].isShuttingDown && paths[path].isReachable
    paths[path].isLost = true
    try endCommands(path, isQuiesced: isQuiesced)
    loseProbe(path)
    if isQuiesced {
      engine.quiesced(path, association: association)
      try release()
    }
    if bug == .closeForgotten && paths[path].recovery.state == .resetting && !bugHasStruck {
      bugHasStruck = true
      return
    }
    try tell(path, .associationClosed)
  }
}
