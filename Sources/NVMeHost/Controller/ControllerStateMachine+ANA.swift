internal import NVMeProtocol

/// The ANA log: read, read again, and watched for a change that takes too long.
extension ControllerStateMachine {
  mutating func readANALog(isRefresh: Bool, _ now: UInt64) {
    anaLogRead = ANALogRead(of: identification, maximumTransferByteCount: maximumTransferByteCount)
    submitANALogRead(isRefresh: isRefresh, now)
  }

  private mutating func submitANALogRead(isRefresh: Bool, _ now: UInt64) {
    guard let read = anaLogRead else { return }
    submit(
      .anaLog(isRefresh: isRefresh), "reading the ANA log", read.nextCommand(), dataInByteCount: read.nextByteCount,
      deadlineNanoseconds: adminDeadline(now))
  }

  mutating func anaLogCompleted(_ status: StatusField, _ data: [UInt8], isRefresh: Bool, _ now: UInt64) {
    let problem: ControllerError?
    do throws(ControllerError) {
      let goesOn =
        status.isSuccess ? try anaLogRead?.take(data) : try anaLogRead?.isRestarted(after: status)
      guard status.isSuccess || goesOn == true else { throw .refused(step: "reading the ANA log", status) }
      if goesOn == true {
        submitANALogRead(isRefresh: isRefresh, now)
        return
      }
      let log: ANALog
      do throws(DecodingError) { log = try ANALog(decoding: anaLogRead?.bytes ?? []) } catch { throw .malformed(error) }
      take(log, now)
      problem = nil
    } catch {
      problem = error
    }
    anaLogRead = nil
    if let problem {
      guard isRefresh else {
        fail(problem)
        return
      }
      // No event may ever tell again of what has been missed: the one that told has not been cleared.
      if state != .requestingShutdown && state != .waitingForShutdown { anaLogRetry.failed(now) }
    }
    // Even where nothing new has been found out: somebody may be waiting for the answer.
    if isRefresh { actions.append(.anaChanged) }
    if state == .readingANALog { beginFirstScan(now) }
    refreshANALogIfIdle(now)
  }

  private mutating func take(_ log: ANALog, _ now: UInt64) {
    anaLog = log
    anaLogRetry.succeeded()
    // A namespace that has moved to another group is told of by this log alone (NVMe Base 2.1, section 5.1.2: the ANA change
    // event tells of a changed ANAGRPID, too).
    for group in log.groups {
      for identifier in group.namespaceIdentifiers where namespaces[identifier] != nil {
        namespaces[identifier]?.anaGroupIdentifier = group.identifier
      }
    }
    watchANATransitions(now)
  }

  /// The namespaces that a scan has found. Where they are in other groups than the ANA log says, or in groups that it does
  /// not have, the log is the older of the two, and is to be read again.
  mutating func compareWithANALog(_ found: [UInt32: NamespaceInformation]) -> [UInt32: NamespaceInformation] {
    guard let anaLog else { return found }
    var groups: [UInt32: UInt32] = [:]
    for group in anaLog.groups {
      for identifier in group.namespaceIdentifiers { groups[identifier] = group.identifier }
    }
    let known = Set(anaLog.groups.map(\.identifier))
    var result = found
    for namespace in found.values {
      let (identified, logged) = (namespace.anaGroupIdentifier, groups[namespace.identifier])
      if identified == 0 {
        // What Identify does not say the log may.
        result[namespace.identifier]?.anaGroupIdentifier = logged ?? 0
      } else if !known.contains(identified) || logged ?? identified != identified {
        needsANALog = true
      }
    }
    return result
  }

  /// A group may be in the state change for ANATT; a controller that takes longer is reset (NVMe Base 2.1, "ANA Change
  /// state"). Each group has its own time, and each of its transitions.
  private mutating func watchANATransitions(_ now: UInt64) {
    var transitions: [UInt32: ANATransition] = [:]
    if let seconds = identification?.anaTransitionTimeSeconds, seconds > 0 {
      for group in anaLog?.groups ?? [] where group.state == .change {
        let known = anaTransitions[group.identifier]
        transitions[group.identifier] =
          known?.changeCount == group.changeCount
          ? known
          : ANATransition(
            changeCount: group.changeCount, deadlineNanoseconds: now &+ UInt64(seconds) * 1_000_000_000)
      }
    }
    anaTransitions = transitions
  }

  mutating func refreshANALogIfIdle(_ now: UInt64) {
    guard needsANALog, anaLogRead == nil, state != .requestingShutdown, state != .waitingForShutdown else { return }
    needsANALog = false
    readANALog(isRefresh: true, now)
  }
}
