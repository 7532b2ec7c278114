public import NVMeProtocol

/// Why a controller could not be connected, or was lost: what was wrong, where, and what to do.
public enum ControllerError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What the host is configured with is not allowed; nothing has been sent.
  case invalidConfiguration(String)
  /// A command of the user's cannot be sent as it is; nothing has been sent.
  case invalidCommand(String)
  /// So many admin commands are waiting for a place in the queue that no other one is taken; it has not been sent.
  case busy(waitingCount: Int)
  /// A transport connection could not be made, or ended.
  case transport(queueIdentifier: UInt16, TransportError)
  /// Fabrics Connect was refused. `result` is the completion's dword 0.
  case connectRefused(queueIdentifier: UInt16, StatusField, result: UInt32, subsystemNQN: String, hostNQN: String)
  /// A step of the initialisation was answered with an error.
  case refused(step: String, StatusField)
  /// The controller did not become ready in the time it names itself (CAP.TO).
  case notReady(timeoutMilliseconds: UInt64)
  /// CSTS.CFS: the controller reports a fatal status.
  case fatalStatus
  /// CSTS.RDY: the controller has been ready, and is not any more.
  case noLongerReady
  /// The controller reports a Persistent Internal Error.
  case persistentInternalError
  /// What the controller says of itself cannot be worked with.
  case unusable(String)
  /// The controller sent a structure that cannot be decoded.
  case malformed(DecodingError)
  /// An admin command was not answered in time.
  case adminTimeout(step: String, milliseconds: UInt32)
  /// A keep alive was not answered in time.
  case keepAliveTimeout(milliseconds: UInt32)
  /// An ANA group was in the state change for longer than the controller allows (ANATT).
  case anaTransitionTimeout(seconds: UInt8)
  /// The host itself ended it, or has not begun.
  case disconnected
  /// Whoever waited for it was cancelled; the controller goes its way.
  case cancelled

  public var description: String {
    switch self {
    case .invalidConfiguration(let problem):
      return "not connected: \(problem)"
    case .invalidCommand(let problem):
      return "the command was not sent: \(problem)"
    case .busy(let count):
      return
        "the command was not sent: the controller is busy, \(count) admin commands are waiting already; send it again when some have been answered"
    case .transport(let queue, let error):
      return queue == 0 ? "admin queue: \(error)" : "I/O queue \(queue): \(error)"
    case .connectRefused(let queue, let status, let result, let subsystemNQN, let hostNQN):
      return Self.connectRefusal(queue, status, result, subsystemNQN, hostNQN)
    case .refused(let step, let status):
      return "\(step) was refused by the controller: \(status)"
    case .notReady(let milliseconds):
      return
        "the controller did not become ready within the \(milliseconds) ms it asks for (CAP.TO); look at the target's log"
    case .fatalStatus:
      return "the controller reports a fatal status (CSTS.CFS); reset it at the target"
    case .noLongerReady:
      return
        "the controller reports that it is not ready any more (CSTS.RDY), so somebody else has reset it; it is connected anew"
    case .persistentInternalError:
      return "the controller reports a persistent internal error; it is reset"
    case .unusable(let reason):
      return "the controller cannot be used: \(reason)"
    case .malformed(let error):
      return "the controller sent something malformed: \(error)"
    case .adminTimeout(let step, let milliseconds):
      return "\(step) was not answered within \(milliseconds) ms; the controller is taken for lost"
    case .keepAliveTimeout(let milliseconds):
      return "a keep alive was not answered within \(milliseconds) ms; the controller is taken for lost"
    case .anaTransitionTimeout(let seconds):
      return
        "an ANA group stayed in the state change for more than the \(seconds) s the controller allows (ANATT); the controller is reset"
    case .disconnected:
      return "there is no connection to the controller: this host has ended it, or not made it"
    case .cancelled:
      return "the task that waited for the controller was cancelled; the controller itself goes on"
    }
  }

  private static func connectRefusal(
    _ queue: UInt16, _ status: StatusField, _ result: UInt32, _ subsystemNQN: String, _ hostNQN: String
  ) -> String {
    let name = status.description(for: .fabrics)
    let place = queue == 0 ? "connecting to \(subsystemNQN)" : "connecting I/O queue \(queue) to \(subsystemNQN)"
    if status.matches(.connectInvalidHost) {
      return
        "\(place) was refused: host NQN \(hostNQN) is not allowed there; allow it at the target, or use another host NQN"
    }
    if status.matches(.connectInvalidParameters) {
      // NVMe Base 2.1, section 6.3: dword 0 holds the offset of the bad parameter, bit 16 whether it is in the data.
      let offset = result & 0xFFFF
      let isInData = result & 0x1_0000 != 0
      if isInData && offset == 256 {
        return "\(place) was refused: the target knows no such subsystem NQN; look at what discovery offers"
      }
      if isInData && offset == 16 { return "\(place) was refused: no controller with this CNTLID exists there" }
      if isInData && offset == 512 { return "\(place) was refused: the target does not like host NQN \(hostNQN)" }
      if isInData && offset == 0 { return "\(place) was refused: the target does not like our host identifier" }
      return "\(place) was refused: \(isInData ? "connect data" : "command") byte \(offset) is invalid (\(name))"
    }
    if status.matches(.connectControllerBusy) {
      return "\(place) was refused: the controller is busy or already in use (\(name)); try again later"
    }
    if status.matches(.authenticationRequired) {
      return "\(place) was refused: the target wants in-band authentication, which is not supported yet"
    }
    return "\(place) was refused: \(name)"
  }
}
