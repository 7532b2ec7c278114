internal import NVMeProtocol

/// The end of a command of the raw client.
struct RawCompletion {
  var entry: CompletionQueueEntry
  /// What the target sent for the command.
  var data: [UInt8]

  var status: StatusField { entry.status }
}
