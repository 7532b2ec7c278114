/// NBD_REPLY_TYPE_*, "Structured reply types".
public enum NBDReplyType: UInt16, Sendable {
  case none = 0
  case offsetData = 1
  case offsetHole = 2
  case blockStatus = 5
  /// Of extended replies.
  case blockStatusExtended = 6
  case error = 0x8001
  case errorOffset = 0x8002
}
