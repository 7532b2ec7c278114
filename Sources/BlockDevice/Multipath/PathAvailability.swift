public import NVMeHost
public import NVMeProtocol

/// What a path can be used for now.
public enum PathAvailability: Sendable, Hashable {
  /// ANA optimized, or a controller without ANA.
  case optimized
  /// ANA non-optimized: used where no path is optimized.
  case nonOptimized
  case unavailable(PathObstacle)

  public var isUsable: Bool {
    switch self {
    case .optimized, .nonOptimized: true
    case .unavailable: false
    }
  }

  /// It may become usable without anybody's doing: requests are held for it.
  public var mayBecomeUsable: Bool {
    if case .unavailable(let obstacle) = self { obstacle.mayPass } else { true }
  }

  public var obstacle: PathObstacle? {
    if case .unavailable(let obstacle) = self { obstacle } else { nil }
  }

  /// What a controller's state and the namespace's ANA state make of a path to it.
  ///
  /// - Parameters:
  ///   - ana: optimized where the controller has no ANA.
  public init(state: RecoveryState, disposition: IODisposition, hasBeenEnabled: Bool, ana: ANAState) {
    switch state {
    case .enabled:
      switch ana {
      case .optimized: self = .optimized
      case .nonOptimized: self = .nonOptimized
      // Reserved states included.
      default: self = .unavailable(.asymmetricAccess(ana))
      }
    case .resetting, .reconnectDelayed:
      if !hasBeenEnabled {
        self = .unavailable(.connecting)
      } else {
        self = .unavailable(disposition == .hold ? .lost : .fastIOFail)
      }
    case .failed: self = .unavailable(.controllerFailed)
    case .disabled: self = .unavailable(.disabled)
    case .deleting, .deleted: self = .unavailable(.deleted)
    }
  }
}
