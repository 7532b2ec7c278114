/// The end of one ring entry, as its source gets to see it.
@frozen public struct RingCompletion: Sendable {
  /// What the source said the entry is for.
  public var operation: UInt8
  /// Which of several entries for the same operation, as the source numbered them.
  public var tag: UInt16
  /// The system call's result: negative means `-errno`.
  public var result: Int32
  /// The kernel's completion flags.
  public var flags: UInt32
}
