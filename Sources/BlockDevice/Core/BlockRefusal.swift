/// Why a request was refused before it went anywhere.
@frozen public enum BlockRefusal: UInt8, Error, Sendable, Hashable {
  /// It reaches beyond the device's last block.
  case outOfRange
  /// It asks for no blocks.
  case zeroLength
  /// The memory is not as long as the blocks are.
  case lengthMismatch
  /// It is longer than the device's ``BlockGeometry/maximumRequestByteCount``.
  case tooLarge
  /// The byte offset or length is not a multiple of the block size.
  case misaligned
  /// The device cannot do this.
  case unsupported
  /// The device cannot be written to.
  case readOnly
  /// The channel has been closed, or its device is gone.
  case closed
  /// No channel for this reactor: the device is there, but its controller has no I/O queue in use on it. Which reactors
  /// get queues is said when a controller is made (`queueReactors`).
  case noQueueOnReactor
}
