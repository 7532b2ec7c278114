internal import NVMeProtocol

/// Admin commands: what those under way are for, and how one is sent.
extension ControllerStateMachine {
  /// What an admin command under way is for.
  enum Purpose {
    case step
    case keepAlive
    /// CSTS, looked at along with each keep alive.
    case statusCheck
    case asynchronousEvent
    case changedNamespaceList
    /// A log page read for nothing but the event that named it.
    case eventLogPage
    case scan
    case anaLog(isRefresh: Bool)
  }

  struct Pending {
    var purpose: Purpose
    var name: String
    var deadlineNanoseconds: UInt64
  }

  mutating func submit(
    _ purpose: Purpose, _ name: String, _ command: SubmissionQueueEntry, dataOut: [UInt8] = [],
    dataInByteCount: Int = 0, deadlineNanoseconds: UInt64
  ) {
    let tag = nextTag
    nextTag &+= 1
    pending[tag] = Pending(purpose: purpose, name: name, deadlineNanoseconds: deadlineNanoseconds)
    actions.append(.submitAdmin(tag: tag, command: command, dataOut: dataOut, dataInByteCount: dataInByteCount))
  }

  mutating func submitStep(
    _ name: String, _ command: SubmissionQueueEntry, _ now: UInt64, dataOut: [UInt8] = [], dataInByteCount: Int = 0
  ) {
    submit(
      .step, name, command, dataOut: dataOut, dataInByteCount: dataInByteCount,
      deadlineNanoseconds: adminDeadline(now))
  }

  func adminDeadline(_ now: UInt64) -> UInt64 {
    let milliseconds = configuration.adminTimeoutMilliseconds
    return milliseconds == 0 ? .max : now &+ UInt64(milliseconds) * 1_000_000
  }
}
