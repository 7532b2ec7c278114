internal import NVMeProtocol

/// The end of a command of the raw client.
struct RawCompletion {
  var entry: CompletionQueueEntry
  /// What the target sent for the command.
  var data: [UInt8]
  /// Of the command: some status codes mean something else for a fabrics command.
  var kind = StatusField.CommandKind.adminOrIO

  var status: StatusField { entry.status }
  /// The status in words.
  var statusText: String { status.description(for: kind) }
}
