package import NVMeProtocol

/// What is to become of a request.
package enum MultipathDecision: Sendable, Hashable {
  /// Give it to this path.
  case submit(path: Int)
  /// It is held; ``MultipathEngine/nextReleased(nowNanoseconds:)`` hands it out again.
  case hold
  /// Report it as it has ended on its path.
  case finish
  /// Report it as failed.
  case fail(BlockOutcome, StatusField)
}
