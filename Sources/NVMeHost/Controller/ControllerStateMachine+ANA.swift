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
    if status.isSuccess, anaLogRead?.take(data) == true {
      submitANALogRead(isRefresh: isRefresh, now)
      return
    }
    let bytes = anaLogRead?.bytes ?? []
    anaLogRead = nil
    if status.isSuccess {
      do throws(DecodingError) {
        anaLog = try ANALog(decoding: bytes)
        watchANATransition(now)
      } catch {
        if !isRefresh {
          fail(.malformed(error))
          return
        }
      }
    } else if !isRefresh {
      fail(.refused(step: "reading the ANA log", status))
      return
    }
    // Even where nothing new has been found out: somebody may be waiting for the answer.
    if isRefresh { actions.append(.anaChanged) }
    if state == .readingANALog { beginFirstScan(now) }
    refreshANALogIfIdle(now)
  }

  /// A group may be in the state change for ANATT; a controller that takes longer is reset (NVMe Base 2.1, "ANA Change
  /// state").
  private mutating func watchANATransition(_ now: UInt64) {
    guard anaLog?.groups.contains(where: { $0.state == .change }) == true else {
      anaTransitionDeadlineNanoseconds = .max
      return
    }
    guard anaTransitionDeadlineNanoseconds == .max, let seconds = identification?.anaTransitionTimeSeconds, seconds > 0
    else { return }
    anaTransitionDeadlineNanoseconds = now &+ UInt64(seconds) * 1_000_000_000
  }

  mutating func refreshANALogIfIdle(_ now: UInt64) {
    guard needsANALog, anaLogRead == nil, state != .requestingShutdown, state != .waitingForShutdown else { return }
    needsANALog = false
    readANALog(isRefresh: true, now)
  }
}
