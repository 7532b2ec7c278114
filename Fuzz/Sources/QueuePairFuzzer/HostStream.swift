import CCRC32C
import NVMeProtocol
import NVMeTCPProtocol

/// What the controller makes of the host's bytes: the host's output must keep every rule, whatever it was fed.
struct HostStream: ~Copyable {
  private var receiver = PDUReceiver(role: .controller, parameters: ConnectionParameters())
  private var current: FuzzedCommand?
  private var offset = 0
  private var isInitialized = false
  /// A controller may answer ICReq before it has come; the host's bytes still begin with it.
  private var hasRequest = false
  private var agreed: ConnectionParameters?
  private(set) var hasTerminated = false

  mutating func agree(on parameters: ConnectionParameters, maximumInCapsuleByteCount: Int) {
    guard !isInitialized else { return }
    isInitialized = true
    agreed = parameters
    agreed?.maximumInCapsuleDataLength = UInt32(maximumInCapsuleByteCount)
    if hasRequest { receiver.parameters = agreed! }
  }

  mutating func receive(_ bytes: UnsafeRawBufferPointer, commands: borrowing [UInt64: FuzzedCommand]) {
    var input = bytes
    while true {
      switch receiver.next(&input) {
      case .needsMore:
        return
      case .violation:
        fatalError("the host broke a rule: \(receiver.violation.map { "\($0)" } ?? "")")
      case .header:
        check(!hasTerminated, "bytes behind the termination request")
        takeHeader(commands)
      case .payload:
        takePayload()
      case .end:
        check(!receiver.hasDataDigestError, "the host sent a wrong data digest")
        current = nil
        if !hasRequest {
          hasRequest = true
          if let agreed { receiver.parameters = agreed }
        }
      }
    }
  }

  private mutating func takeHeader(_ commands: borrowing [UInt64: FuzzedCommand]) {
    let header = receiver.header
    switch PDUType(rawValue: receiver.common.type) {
    case .capsuleCommand:
      let entry = SubmissionQueueEntry(loading: header + CapsuleCommandHeader.submissionQueueEntryOffset)
      current = commands[UInt64(entry.cdw12)]
      current?.identifier = entry.commandIdentifier
      offset = 0
      if receiver.payloadByteCount > 0 {
        check(current?.byteCount == receiver.payloadByteCount, "in-capsule data of the wrong length")
        current?.usesInCapsuleData = true
      }
    case .hostToControllerData:
      let data = H2CDataHeader(loading: header)
      current = commands.values.first { $0.identifier == data.commandIdentifier }
      check(current != nil, "data of a command that has ended")
      offset = Int(data.dataOffset)
    case .hostToControllerTerminationRequest:
      hasTerminated = true
    default:
      break
    }
  }

  private mutating func takePayload() {
    guard let current else { fatalError("data of a command that has ended") }
    if receiver.common.flags.contains(.dataDigest) {
      receiver.digest = nvmeof_crc32c_extend(receiver.digest, receiver.piece, receiver.pieceCount)
    }
    check(offset + receiver.pieceCount <= current.byteCount, "more data than the command has")
    for index in 0..<receiver.pieceCount {
      check(
        receiver.piece.load(fromByteOffset: index, as: UInt8.self)
          == FuzzedCommand.pattern(current.token, offset + index), "sent data differs from the command's")
    }
    offset += receiver.pieceCount
    current.transferred += receiver.pieceCount
  }
}
