public import NVMeProtocol

/// A fault to be shown to hosts on purpose. A rule matches events, and acts on some of them.
public struct FaultRule: Sendable {
  /// What a rule looks at.
  public enum Trigger: Sendable, Hashable {
    /// A connection has been accepted.
    case connection
    /// ICReq has come.
    case initialization
    /// A command has come on an admin queue (fabrics commands included); nil: any opcode.
    case adminCommand(opcode: UInt8? = nil)
    /// A fabrics command of this type has come, on any queue; nil: any.
    case fabricsCommand(FabricsCommandType? = nil)
    /// A command has come on an I/O queue; nil: any opcode.
    case ioCommand(opcode: UInt8? = nil)
  }

  /// What happens then.
  public enum Action: Sendable, Hashable {
    /// The answer is held back so long; other commands go on.
    case delay(nanoseconds: UInt64)
    /// The connection is closed in order.
    case close
    /// The connection is reset (RST).
    case reset
    /// The connection stays up and does nothing any more: it neither reads nor sends.
    case silence
    /// The command is not answered; others are.
    case neverAnswer
    /// The command fails with this status and has no other effect.
    case status(StatusField)
    /// Header digests of the PDUs that answer the command are wrong; without effect where there are none.
    case corruptHeaderDigest
    /// Data digests of the command's C2HData are wrong; without effect where there are none.
    case corruptDataDigest
  }

  public var trigger: Trigger
  public var action: Action
  /// Only for this subsystem; nil: any. Not looked at before Connect.
  public var subsystemNQN: String?
  /// Only on this port, by its identifier; nil: any.
  public var portIdentifier: UInt16?
  /// Only for commands to this namespace; nil: any.
  public var namespaceIdentifier: UInt32?
  /// Only for I/O commands that touch these blocks; nil: any.
  public var blocks: ClosedRange<UInt64>?
  /// So many matches go by before the rule acts.
  public var skipCount: UInt64 = 0
  /// The rule acts so often, then is spent; nil: for ever.
  public var count: UInt64?
  /// How likely a match is acted on, 0...1; drawn from the target's seeded generator.
  public var probability: Double = 1

  public init(_ trigger: Trigger, _ action: Action, count: UInt64? = nil) {
    self.trigger = trigger
    self.action = action
    self.count = count
  }
}
