import BlockDevice

/// What one I/O of a case looks like.
struct LoadShape {
  var operation: BlockOperation
  var byteCount: Int
  /// Header and data digests.
  var hasDigests = false
  /// A read's end is told by a response capsule of its own, not by the SUCCESS flag of its last data PDU.
  var hasResponseCapsule = false

  static let blockByteCount = 512
  /// Requests outstanding at once, all submitted in one turn and answered in one turn.
  static let depth = 32
  /// What IOCCSZ says in the cases: longer data is asked for by R2T.
  static let inCapsuleByteCount = 8192
  /// What the controller's memory is full of.
  static let fill: UInt8 = 0x5A

  var blockCount: Int { byteCount / Self.blockByteCount }
}
