public import NVMeProtocol

/// Commands that are to fail on purpose: for tests of what lies above.
public struct ErrorInjection: Sendable, Hashable {
  public var opcode: UInt8
  /// The commands are not sent to the controller; else they are, and their answers' status is replaced.
  public var isWithheld: Bool
  /// How long a command that is withheld goes unanswered, in microseconds.
  public var delayMicroseconds: UInt64
  /// So many commands of each queue fail; those after them do not.
  public var count: UInt32
  public var status: StatusField

  public init(
    opcode: UInt8, isWithheld: Bool = false, delayMicroseconds: UInt64 = 0, count: UInt32 = 1, status: StatusField
  ) {
    self.opcode = opcode
    self.isWithheld = isWithheld
    self.delayMicroseconds = delayMicroseconds
    self.count = count
    self.status = status
  }
}
