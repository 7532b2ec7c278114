/// When a connection's receive buffer in the kernel is kept small.
///
/// The window that a connection advertises is what may be on its way and wait in its socket together. A path of some
/// microseconds holds little: nearly all of a large window then only waits in the socket, until it has left the processors'
/// caches and is copied from memory (4 KiB reads of depth 128 over loopback: 1.0 instead of 1.8 µs of processor time each).
/// Held small, the rest waits at the controller, as commands. Large payloads want the large window: they are received
/// straight into place, and the kernel's automatic size is right for them; and so does a path that is long enough to hold a
/// window.
struct ReceiveBufferControl {
  enum Change {
    case none
    /// Enough small payloads have come one after the other: hold it, if the path is short.
    case mayHold
    case release
  }

  /// SO_RCVBUF; the kernel doubles it for its own needs.
  static let heldByteCount: Int32 = 128 * 1024
  /// A window of 128 KiB is filled in this time at 2.6 GB/s, which is more than small payloads come to.
  static let longestRoundTripMicroseconds = 50
  /// So many receives without a large payload make a load of small ones.
  static let receivesBeforeHold = 1024

  private var smallCount = 0
  private(set) var isHeld = false

  /// Notes that something has been received. (For the path of every I/O.)
  mutating func noteReceive(isLarge: Bool) -> Change {
    if isLarge {
      smallCount = 0
      guard isHeld else { return .none }
      isHeld = false
      return .release
    }
    if isHeld { return .none }
    smallCount &+= 1
    guard smallCount == Self.receivesBeforeHold else { return .none }
    smallCount = 0
    return .mayHold
  }

  mutating func didHold() { isHeld = true }
}
