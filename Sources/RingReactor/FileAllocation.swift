internal import CLiburing
internal import Glibc

/// What a file system may be able to do to a range of a file, instead of writing zeroes to it.
public enum FileAllocation: UInt8, Sendable {
  /// Zeroes in blocks that stay allocated. A block device without a command for it is written to by the kernel.
  case zeroRange = 1
  /// Gives blocks back.
  case punchHole = 2

  var mode: Int32 {
    let mode = self == .zeroRange ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE
    return mode | FALLOC_FL_KEEP_SIZE
  }

  /// Whether an operation's result says that the file system, or the device, cannot do it at all.
  public static func isMissing(_ result: Int32) -> Bool {
    switch -result {
    case EOPNOTSUPP, ENOSYS, ENOTTY, ENODEV: true
    default: false
    }
  }
}
