public import NVMeProtocol

/// Why a path cannot be used now.
public enum PathObstacle: Sendable, Hashable, CustomStringConvertible {
  /// Its controller has not been connected yet.
  case connecting
  /// Its controller is lost, and may come back.
  case lost
  /// Its controller is lost, and the fast I/O fail time-out has expired.
  case fastIOFail
  /// Its controller has failed: connecting again is of no use, or not wished for.
  case controllerFailed
  /// Its controller has been disabled.
  case disabled
  /// Its controller is gone.
  case deleted
  /// The ANA state of the namespace through this controller.
  case asymmetricAccess(ANAState)
  /// The controller has answered that the namespace cannot be accessed, and its ANA log is being read.
  case asymmetricAccessChanging
  /// The controller has no such namespace now.
  case namespaceMissing
  /// The controller has another namespace under this NSID.
  case namespaceMismatch(String)
  /// Another path's controller has the same identifier: the two are not of one subsystem.
  case duplicateController(UInt16)

  /// True where waiting makes sense: requests are held for such a path.
  public var mayPass: Bool {
    switch self {
    case .connecting, .lost, .asymmetricAccessChanging: true
    case .asymmetricAccess(let state): state != .persistentLoss
    case .fastIOFail, .controllerFailed, .disabled, .deleted, .namespaceMissing, .namespaceMismatch,
      .duplicateController:
      false
    }
  }

  public var description: String {
    switch self {
    case .connecting: "the controller is being connected"
    case .lost: "the controller is lost and being reconnected"
    case .fastIOFail: "the controller is lost, and the fast I/O fail time-out has expired"
    case .controllerFailed: "the controller has failed, and is not reconnected"
    case .disabled: "the controller is disabled"
    case .deleted: "the controller is gone"
    case .asymmetricAccess(let state): "its ANA state is \(state)"
    case .asymmetricAccessChanging: "its ANA state is changing"
    case .namespaceMissing: "the controller has no such namespace"
    case .namespaceMismatch(let difference): "the controller has another namespace under this identifier: \(difference)"
    case .duplicateController(let identifier):
      "another path's controller is controller \(identifier) of its subsystem, too: these are two subsystems with one NQN"
    }
  }
}
