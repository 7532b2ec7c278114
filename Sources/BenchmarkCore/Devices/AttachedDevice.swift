internal import BlockDevice

/// A block device as one job has it: on the job's reactor.
struct AttachedDevice {
  var device: any BlockDevice
  /// Lets go of it, on the job's thread.
  var detach: (Reactor) -> Void
  /// What readers of the result must know of this attachment; nil if nothing.
  var note: String?
}
