public import NVMeHost

/// News of a ``ControllerGroup``.
public enum ControllerGroupEvent: Sendable {
  /// The controller has been connected, or connected again.
  case controllerReady(Controller)
  /// The controller could not be connected, and is tried again.
  case controllerDelayed(Controller)
  /// There is no association any more, and none is tried; nil when that was by our own wish.
  case controllerClosed(Controller, ControllerError?)
  /// The controller is gone for good, and with it has left the group.
  case controllerRemoved(Controller, DeletionReason)
  /// A namespace that no device stood for.
  case deviceAdded(MultipathBlockDevice)
  /// No controller presents the device's namespace any more: the device is gone.
  case deviceRemoved(MultipathBlockDevice)
}
