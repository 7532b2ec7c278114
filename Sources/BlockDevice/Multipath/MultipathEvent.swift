public import NVMeHost

/// News of a multipath device.
public enum MultipathEvent: Sendable, Hashable {
  case pathAdded(MultipathPathIdentifier)
  /// Taken out by its owner, or because its controller is gone for good.
  case pathRemoved(MultipathPathIdentifier, DeletionReason)
  /// The path can be used, or used again.
  case pathAvailable(MultipathPathIdentifier, isOptimized: Bool)
  case pathUnavailable(MultipathPathIdentifier, PathObstacle)
  /// The path has left I/O commands unanswered: from now on it is only used where there is no other.
  case pathProbationBegan(MultipathPathIdentifier)
  /// The path has shown that it does I/O again.
  case pathProbationEnded(MultipathPathIdentifier)
  /// Size or attributes of the namespace have changed.
  case namespaceChanged(BlockGeometry)
  /// The last path's controller is gone for good, and the device with it; or the device has been closed.
  case deviceGone(DeletionReason)
}
