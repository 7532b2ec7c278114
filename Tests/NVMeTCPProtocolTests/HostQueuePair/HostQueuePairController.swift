import NVMeProtocol
import NVMeTCPProtocol
import Testing

/// The controller's side for tests: reads what the host sends, and builds PDUs, right ones and wrong ones.
final class HostQueuePairController {
  var parameters = ConnectionParameters()
  private var receiver = PDUReceiver(role: .controller, parameters: ConnectionParameters())
  private(set) var received: [HostQueuePairOutput] = []
  private var header: [UInt8] = []
  private var payload: [UInt8] = []

  /// Commands received and not taken yet.
  private var commandPosition = 0

  func nextCommand() throws -> SubmissionQueueEntry {
    while commandPosition < received.count {
      commandPosition += 1
      if case .command(let entry, _) = received[commandPosition - 1] { return entry }
    }
    throw Missing("a command")
  }

  struct Missing: Error {
    var what: String
    init(_ what: String) { self.what = what }
  }

  /// Takes a piece of the host's byte stream.
  func receive(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { bytes in
      var input = bytes
      while true {
        switch receiver.next(&input) {
        case .needsMore:
          return
        case .header:
          let count = Int(isTermination ? receiver.common.length : UInt32(receiver.common.headerLength))
          header = [UInt8](UnsafeRawBufferPointer(start: receiver.header, count: count))
          payload = []
        case .payload:
          let piece = [UInt8](UnsafeRawBufferPointer(start: receiver.piece, count: receiver.pieceCount))
          payload += piece
          receiver.digest = crc32c(payload)
        case .end:
          if receiver.hasDataDigestError { Issue.record("the host's data digest is wrong") }
          header.withUnsafeBytes { finish($0.baseAddress!) }
        case .violation:
          Issue.record("the host broke a rule: \(receiver.violation!)")
          return
        }
      }
    }
  }

  private var isTermination: Bool { receiver.common.type == PDUType.hostToControllerTerminationRequest.rawValue }

  private func finish(_ start: UnsafeRawPointer) {
    switch PDUType(rawValue: receiver.common.type) {
    case .initializeConnectionRequest:
      received.append(.connectionRequest(ICRequest(loading: start)))
    case .capsuleCommand:
      received.append(.command(SubmissionQueueEntry(loading: start + 8), data: payload))
    case .hostToControllerData:
      received.append(.data(H2CDataHeader(loading: start), payload))
    case .hostToControllerTerminationRequest:
      received.append(
        .termination(TerminationRequest(loading: start), offendingHeader: Array(header.dropFirst(24))))
    default:
      Issue.record("the host sent a PDU of type \(receiver.common.type)")
    }
  }

  /// True when the host's stream stands between two PDUs.
  var isBetweenPDUs: Bool { receiver.isBetweenPDUs }

  // MARK: What the controller sends

  /// Answers ICReq, and goes by what was agreed from then on.
  func connectionResponse(
    digests: PDUDigests, alignment: UInt8 = 0, maximumH2CDataLength: UInt32 = 131_072
  ) throws -> [UInt8] {
    guard case .connectionRequest(let request) = received.first else { throw Missing("ICReq") }
    let response = ICResponse(
      digests: digests, controllerPDUDataAlignment: alignment, maximumH2CDataLength: maximumH2CDataLength)
    parameters = ConnectionParameters(request: request, response: response)
    parameters.maximumInCapsuleDataLength = 1 << 24
    receiver.parameters = parameters
    return stored(ICResponse.byteCount, response.store(to:))
  }

  func response(_ identifier: UInt16, status: StatusField = .success, result: UInt64 = 0) -> [UInt8] {
    var entry = CompletionQueueEntry(commandIdentifier: identifier, status: status)
    entry.result = result
    return withDigest(
      stored(24) {
        CapsuleResponseHeader(parameters: parameters).store(to: $0)
        entry.store(to: $0 + 8)
      })
  }

  /// C2HData.
  ///
  /// - Parameters:
  ///   - extraPadding: bytes of padding beyond what the host has asked for; a multiple of its alignment.
  ///   - edit: changes the header before its digest is made.
  func data(
    _ identifier: UInt16, offset: Int, _ bytes: some Collection<UInt8>, isLast: Bool = false, isSuccess: Bool = false,
    extraPadding: Int = 0, breaksDigest: Bool = false, edit: ((inout [UInt8]) -> Void)? = nil
  ) -> [UInt8] {
    let layout = PDULayout(type: .controllerToHostData, dataLength: bytes.count, parameters: parameters)
    var header = C2HDataHeader(
      commandIdentifier: identifier, dataOffset: UInt32(offset), dataLength: UInt32(bytes.count), isLast: isLast,
      isSuccess: isSuccess, parameters: parameters)
    header.common.dataOffset += UInt8(extraPadding)
    header.common.length += UInt32(extraPadding)
    var encoded = stored(C2HDataHeader.byteCount, header.store(to:))
    edit?(&encoded)
    var pdu = withDigest(encoded)
    pdu += [UInt8](repeating: 0, count: layout.paddingByteCount + extraPadding)
    pdu += bytes
    if parameters.dataDigest {
      let value = digest(Array(bytes))
      pdu += breaksDigest ? value.map { ~$0 } : value
    }
    return pdu
  }

  func readyToTransfer(_ identifier: UInt16, tag: UInt16, offset: Int, length: Int) -> [UInt8] {
    let header = ReadyToTransferHeader(
      commandIdentifier: identifier, transferTag: tag, offset: UInt32(offset), length: UInt32(length),
      parameters: parameters)
    return withDigest(stored(ReadyToTransferHeader.byteCount, header.store(to:)))
  }

  func terminationRequest(_ status: FatalErrorStatus, information: UInt32, offendingHeader: [UInt8]) -> [UInt8] {
    let request = TerminationRequest(
      sender: .controller, fatalErrorStatus: status, fatalErrorInformation: information,
      offendingHeaderByteCount: offendingHeader.count)
    return stored(24, request.store(to:)) + offendingHeader
  }

  private func withDigest(_ header: [UInt8]) -> [UInt8] {
    parameters.headerDigest ? header + digest(header) : header
  }
}
