public import NVMeProtocol

/// The controller's answer to an admin command.
public struct AdminReply: Sendable {
  public var completion: CompletionQueueEntry
  /// The data read; empty for commands that read none.
  public var data: [UInt8]

  public var status: StatusField { completion.status }
  public var result: UInt32 { completion.dword0 }
}
