/// One place of the queue depth: what is in flight there.
struct IOSlot {
  enum Purpose: UInt8 {
    case free
    case work
    /// A read back of a block that this job wrote.
    case verify
    case flush
  }

  var purpose = Purpose.free
  var direction = DataDirection.read
  var byteCount: UInt32 = 0
  var offset: UInt64 = 0
  /// When the I/O started, or should have started when a rate is set.
  var start: UInt64 = 0
  /// What handing it to the channel took.
  var submission: UInt64 = 0
}
