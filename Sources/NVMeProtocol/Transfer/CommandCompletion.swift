/// One command's end, on its way from a queue pair to whoever submitted it.
@frozen public struct CommandCompletion: @unchecked Sendable {
  /// What the submitter gave along with the command, returned unchanged.
  public var context: UnsafeMutableRawPointer?
  /// What the submitter gave along with the command, returned unchanged.
  public var token: UInt64
  /// Dwords 0 and 1 of the completion queue entry (dword 1 in the upper half).
  public var result: UInt64
  public var status: StatusField
  public var outcome: CommandOutcome

  @inlinable
  public init(
    context: UnsafeMutableRawPointer?, token: UInt64, result: UInt64, status: StatusField, outcome: CommandOutcome
  ) {
    self.context = context
    self.token = token
    self.result = result
    self.status = status
    self.outcome = outcome
  }
}
