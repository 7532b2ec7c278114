/// Something that does the same number of I/Os each time it is asked to.
protocol Load: AnyObject {
  /// I/Os from submission to completion, ``LoadShape/depth`` of them.
  func doRound() throws
  /// Whether reads have brought what the controller has: a path that moves nothing would be a cheap one.
  func verify() throws
}
