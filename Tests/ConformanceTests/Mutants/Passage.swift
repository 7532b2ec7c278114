import NVMeProtocol
import NVMeTCPProtocol

/// A PDU on its way between a host and the target, with what it belongs to, and what becomes of it.
struct Passage {
  let isToTarget: Bool
  /// Which of the target's ports it goes through: 0 or 1.
  let port: Int
  /// A number that no other connection has.
  let connection: Int
  /// Whether PDUs of this connection have header digests.
  let headerDigest: Bool
  /// The command that it is, or that it answers or has data for.
  let command: SubmissionQueueEntry?
  /// Of the connection; nil before Connect.
  let queueIdentifier: UInt16?

  /// What goes on. Where it is changed with ``change(_:)``, its digests are made right again.
  var pdu: WirePDU
  var isDropped = false
  /// What follows it.
  var after: [WirePDU] = []
  /// What goes back to where it has come from.
  var back: [WirePDU] = []
  /// Whether the connection ends with it.
  var isLast = false

  init(
    _ pdu: WirePDU, isToTarget: Bool, port: Int, connection: Int, headerDigest: Bool, command: SubmissionQueueEntry?,
    queueIdentifier: UInt16?
  ) {
    self.pdu = pdu
    self.isToTarget = isToTarget
    self.port = port
    self.connection = connection
    self.headerDigest = headerDigest
    self.command = command
    self.queueIdentifier = queueIdentifier
  }

  /// What goes on in its place.
  var onward: [WirePDU] { (isDropped ? [] : [pdu]) + after }

  // MARK: What it is

  /// Whether it is no PDU, but the end of what comes from its side of the connection.
  var isEnd: Bool { pdu.bytes.isEmpty }
  var isCommand: Bool { pdu.type == .capsuleCommand }
  var isResponse: Bool { pdu.type == .capsuleResponse }
  /// Data on its way to the host.
  var isReadData: Bool { pdu.type == .controllerToHostData }
  /// Data on its way to the target, in a capsule or not.
  var isWriteData: Bool { isToTarget && !pdu.dataRange.isEmpty }

  /// Whether it belongs to such a command on an admin queue.
  func isOf(admin opcode: AdminOpcode) -> Bool { isOf(admin: opcode.rawValue) }

  func isOf(admin opcode: UInt8) -> Bool { (queueIdentifier ?? 0) == 0 && command?.opcode == opcode }

  /// Whether it belongs to such a command on an I/O queue.
  func isOf(_ opcode: IOOpcode) -> Bool { isOf(io: opcode.rawValue) }

  func isOf(io opcode: UInt8) -> Bool { (queueIdentifier ?? 0) != 0 && command?.opcode == opcode }

  /// Whether it belongs to such a fabrics command, on any queue.
  func isOf(_ type: FabricsCommandType) -> Bool {
    command?.opcode == AdminOpcode.fabrics.rawValue && command?.fabricsCommandType == type
  }

  /// Whether it belongs to an Identify of this structure.
  func isOf(_ structure: IdentifyStructure) -> Bool {
    isOf(admin: .identify) && (command?.cdw10 ?? 0) & 0xFF == UInt32(structure.rawValue)
  }

  /// Whether it is a Connect command for an admin queue, or for an I/O queue.
  var isAdminConnect: Bool { isCommand && isOf(.connect) && command?.connectFields.queueIdentifier == 0 }
  var isQueueConnect: Bool { isCommand && isOf(.connect) && command?.connectFields.queueIdentifier != 0 }

  /// The blocks that a command reads or writes.
  var blocks: Range<UInt64> {
    guard let command else { return 0..<0 }
    let (end, overflow) = command.startingLBA.addingReportingOverflow(UInt64(command.blockCount))
    return command.startingLBA..<(overflow ? .max : end)
  }

  // MARK: What becomes of it

  mutating func change(_ body: (inout WirePDU) -> Void) {
    body(&pdu)
    pdu.seal()
  }

  /// Changes the command before the target has it.
  mutating func changeCommand(_ body: (inout SubmissionQueueEntry) -> Void) {
    change { pdu in
      var command = pdu.bytes.withUnsafeBytes { SubmissionQueueEntry(loading: $0.baseAddress! + 8) }
      body(&command)
      pdu.bytes.replaceSubrange(8..<72, with: command.encode())
    }
  }

  mutating func changeCompletion(_ body: (inout CompletionQueueEntry) -> Void) {
    change { body(&$0.completion) }
  }

  /// Changes a field of the data.
  mutating func setData(_ value: UInt64, at offset: Int, count: Int) {
    change { $0.set(value, at: $0.dataRange.lowerBound + offset, count: count) }
  }

  /// Changes one bit of the last byte of the data.
  mutating func spoilData() {
    change { $0.bytes[$0.dataRange.upperBound - 1] ^= 1 }
  }

  /// Answers a command in the target's stead, which never hears of it.
  mutating func answer(_ status: StatusField = .success, dword0: UInt32 = 0) {
    guard let command else { return }
    let completion = CompletionQueueEntry(
      commandIdentifier: command.commandIdentifier, status: status, dword0: dword0, submissionQueueHead: 0xFFFF)
    isDropped = true
    back = [WirePDU(completion, headerDigest: headerDigest)]
  }
}
