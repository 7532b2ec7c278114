internal import BlockDevice

/// A block device as one job has it: on the job's reactor.
struct AttachedDevice {
  var device: any BlockDevice
  /// Lets go of it, on the job's thread.
  var detach: (Reactor) -> Void
  /// What readers of the result must know of this attachment.
  var notes: [String] = []
  /// What its paths have gone through so far, on any thread; nil for a device without such paths.
  var pathReport: (@Sendable () -> PathReport)?
}
