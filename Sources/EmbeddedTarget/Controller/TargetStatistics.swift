/// What a controller's SMART log counts, and what else all its queues note.
struct TargetStatistics {
  var readCommands: UInt64 = 0
  var writeCommands: UInt64 = 0
  var readBytes: UInt64 = 0
  var writtenBytes: UInt64 = 0
  /// A command has come since the Keep Alive Timer was looked at.
  var hasTraffic = false
}
