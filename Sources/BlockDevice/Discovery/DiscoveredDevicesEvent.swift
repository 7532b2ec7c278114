public import NVMeHost

/// News of the devices that discovery leads to.
public enum DiscoveredDevicesEvent: Sendable {
  /// A controller is being connected.
  case pathAttached(DiscoveryPath)
  /// The controller has been deleted.
  case pathDetached(DiscoveryPath)
  /// The controller could not be connected, and is not tried again until discovery names it anew.
  case pathFailed(DiscoveryPath, ControllerError?)
  /// A namespace that no device stood for.
  case deviceAdded(MultipathBlockDevice)
  /// No path presents the device's namespace any more, or the last path has been detached.
  case deviceRemoved(MultipathBlockDevice)
}
