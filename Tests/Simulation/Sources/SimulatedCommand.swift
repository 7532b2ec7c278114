/// A command on its way to a simulated controller, and back.
struct SimulatedCommand {
  var request: Int
  var path: Int
  /// The association it was sent on, counted over all paths.
  var association: UInt64
  var isWrite: Bool
  var block: Int
  /// What a write writes; what a read has read.
  var value: UInt64
  /// It never left the host.
  var isUnsent: Bool
  var isExecuted = false
  /// The host has been told its end.
  var hasEnded = false
  /// It will not be executed any more.
  var isDropped = false
}
