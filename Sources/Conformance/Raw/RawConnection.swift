internal import CCRC32C
internal import NVMeProtocol
internal import NVMeTCPProtocol

/// One NVMe/TCP connection at the level of PDUs, with blocking calls: it sends what a correct host would never send, and
/// shows what the target makes of it. It depends on nothing of the host library but the wire types. One thread's.
final class RawConnection {
  /// How long one answer may take.
  static let patience = Duration.seconds(20)
  /// No PDU that was asked for is longer.
  private static let longestPDU: UInt32 = 80 << 20

  let socket: RawSocket
  private(set) var parameters = ConnectionParameters()
  private(set) var request = ICRequest()
  private(set) var response: ICResponse?
  private var nextCommandIdentifier: UInt16 = 1
  /// Whether its submission queue has flow control: Connect says so.
  var hasFlowControl = true
  /// The most data that a command may have in its capsule: on an I/O queue what IOCCSZ says, until then and on an admin
  /// queue 8192 bytes (NVMe/TCP 1.1, section 3.2).
  var inCapsuleByteCount = 8192
  /// The association's admin queue, which an I/O queue cannot do without.
  var controller: RawController?

  /// Connects the socket; nothing is sent yet.
  init(_ target: ConformanceTarget, port: UInt16? = nil) throws(RawError) {
    socket = try RawSocket(host: target.host, port: port ?? target.port, deadline: .now + Self.patience)
  }

  // MARK: PDUs

  /// Sends an ICReq and takes the ICResp, which must keep the rules.
  @discardableResult
  func initialize(_ request: ICRequest = ICRequest()) throws(RawError) -> ICResponse {
    self.request = request
    try send(Self.bytes(ICRequest.byteCount, request.store(to:)), "sending ICReq")
    parameters = ConnectionParameters(requested: request)
    let pdu = try receive("waiting for ICResp")
    guard pdu.common.pduType == .initializeConnectionResponse else {
      throw .malformed("PDU type \(pdu.common.type) instead of ICResp")
    }
    let response = pdu.load(ICResponse.init(loading:))
    self.response = response
    parameters = ConnectionParameters(request: request, response: response)
    return response
  }

  func send(_ bytes: [UInt8], _ what: String) throws(RawError) {
    try socket.send(bytes, until: .now + Self.patience, what)
  }

  /// The next PDU, with its digests checked. A C2HTermReq is thrown.
  func receive(_ what: String, within patience: Duration = RawConnection.patience) throws(RawError) -> RawPDU {
    let deadline = ContinuousClock.now + patience
    let first = try socket.receive(PDUCommonHeader.byteCount, until: deadline, what)
    let common = first.withUnsafeBytes { PDUCommonHeader(loading: $0.baseAddress!) }
    if let violation = PDUValidation.validateCommonHeader(common, receiver: .host, parameters: parameters) {
      throw .malformed("\(violation)")
    }
    guard common.length <= Self.longestPDU else { throw .malformed("a PDU of \(common.length) bytes") }
    var whole = first
    whole += try socket.receive(Int(common.length) - first.count, until: deadline, what)
    let header = Array(whole[..<Int(common.headerLength)])
    let violation = header.withUnsafeBytes { bytes in
      PDUValidation.validateSpecificHeader(common, headerBytes: bytes.baseAddress!, parameters: parameters)
    }
    if let violation { throw .malformed("\(violation)") }
    if common.flags.contains(.headerDigest) {
      try check(header, digestAt: header.count, of: whole, "header digest of PDU type \(common.type)")
    }
    if let type = common.pduType, type == .controllerToHostTerminationRequest {
      throw .terminated(header.withUnsafeBytes { TerminationRequest(loading: $0.baseAddress!) }, while: what)
    }
    let data = Array(
      whole[(common.dataOffset == 0 ? whole.count : Int(common.dataOffset))...].prefix(common.dataLength))
    if common.flags.contains(.dataDigest) {
      try check(
        data, digestAt: Int(common.dataOffset) + data.count, of: whole, "data digest of PDU type \(common.type)")
    }
    return RawPDU(common: common, header: header, data: data)
  }

  /// The bytes of a PDU this host sends: header, digests and padding as negotiated.
  /// - Parameters:
  ///   - corruptHeader, corruptData: spoil that digest.
  func pdu(
    _ type: PDUType, data: [UInt8] = [], corruptHeader: Bool = false, corruptData: Bool = false,
    store: (UnsafeMutableRawPointer) -> Void
  ) -> [UInt8] {
    let layout = PDULayout(type: type, dataLength: data.count, parameters: parameters)
    var bytes = Self.bytes(layout.headerByteCount, store)
    if layout.headerDigestByteCount > 0 { bytes += Self.digest(bytes, isCorrupt: corruptHeader) }
    bytes += [UInt8](repeating: 0, count: layout.paddingByteCount)
    bytes += data
    if layout.dataDigestByteCount > 0 { bytes += Self.digest(data, isCorrupt: corruptData) }
    return bytes
  }

  // MARK: Commands

  /// The bytes of a command capsule. Without in-capsule data, the SGL says that `transferByteCount` bytes go through the
  /// transport.
  func capsule(
    _ command: SubmissionQueueEntry, inCapsule data: [UInt8] = [], transferByteCount: Int = 0,
    corruptHeader: Bool = false, corruptData: Bool = false
  ) -> (bytes: [UInt8], identifier: UInt16) {
    var entry = command
    entry.commandIdentifier = nextCommandIdentifier
    nextCommandIdentifier = nextCommandIdentifier % 60_000 + 1
    entry.sgl =
      data.isEmpty
      ? .transport(length: UInt32(transferByteCount)) : .inCapsule(offset: 0, length: UInt32(data.count))
    let header = CapsuleCommandHeader(dataLength: data.count, parameters: parameters)
    let bytes = pdu(.capsuleCommand, data: data, corruptHeader: corruptHeader, corruptData: corruptData) { pointer in
      header.store(to: pointer)
      entry.store(to: pointer + CapsuleCommandHeader.submissionQueueEntryOffset)
    }
    return (bytes, entry.commandIdentifier)
  }

  /// The bytes of a command capsule with data for the target: in it where that may be, else to be asked for.
  func capsule(
    _ command: SubmissionQueueEntry, writing data: [UInt8], corruptData: Bool = false
  ) -> (bytes: [UInt8], identifier: UInt16) {
    data.count <= inCapsuleByteCount
      ? capsule(command, inCapsule: data, corruptData: corruptData)
      : capsule(command, transferByteCount: data.count)
  }

  /// Sends a write whose data the target has to ask for, and waits for its asking: longer than a capsule, as some targets
  /// take it for granted that whatever fits goes in the capsule.
  func requestLargeWrite(_ controller: RawController, _ namespace: RawNamespace) throws -> ReadyToTransferHeader {
    let blocks = inCapsuleByteCount / namespace.blockByteCount + 1
    let byteCount = blocks * namespace.blockByteCount
    guard blocks <= 65536, UInt64(blocks) <= namespace.blockCount,
      try byteCount <= controller.maximumTransferByteCount() ?? .max
    else {
      throw ConformanceSkip("no write is too long for the capsule: MDTS or the namespace are too small")
    }
    let capsule = capsule(
      .write(namespaceIdentifier: namespace.identifier, startingLBA: 0, blockCount: blocks),
      transferByteCount: byteCount)
    try send(capsule.bytes, "sending a write")
    let pdu = try receive("waiting for R2T")
    guard pdu.common.pduType == .readyToTransfer else {
      throw ConformanceFailure("a PDU of type \(pdu.common.type) came instead of R2T")
    }
    let ready = pdu.load(ReadyToTransferHeader.init(loading:))
    try expect(
      ready.offset == 0 && Int(ready.length) <= byteCount,
      "R2T for \(ready.length) bytes at \(ready.offset); the command has \(byteCount)")
    return ready
  }

  /// Sends a command and waits for its end.
  /// - Parameters:
  ///   - writing: data for the target, which goes along in the capsule where that may be, else when it is asked for.
  ///   - readByteCount: how much data the target is to send.
  func execute(
    _ command: SubmissionQueueEntry, writing: [UInt8] = [], readByteCount: Int = 0, _ what: String
  ) throws(RawError) -> RawCompletion {
    let (bytes, identifier) =
      writing.isEmpty ? capsule(command, transferByteCount: readByteCount) : capsule(command, writing: writing)
    try send(bytes, what)
    var completion = try completion(of: identifier, writing: writing, readByteCount: readByteCount, what)
    if command.opcode == AdminOpcode.fabrics.rawValue { completion.kind = .fabrics }
    return completion
  }

  /// Reads blocks, with whatever end.
  func read(_ namespace: RawNamespace, at address: UInt64 = 0, count: Int = 1) throws(RawError) -> RawCompletion {
    try execute(
      .read(namespaceIdentifier: namespace.identifier, startingLBA: address, blockCount: count),
      readByteCount: count * namespace.blockByteCount, "reading \(count) blocks at \(address)")
  }

  /// Reads blocks and returns what is in them, which must succeed.
  @discardableResult
  func contents(_ namespace: RawNamespace, at address: UInt64 = 0, count: Int = 1) throws -> [UInt8] {
    let completion = try read(namespace, at: address, count: count)
    try expectStatus(completion, .success, of: "Read of \(count) blocks at \(address)")
    try expectEqual(completion.data.count, count * namespace.blockByteCount, "the length of the data read")
    return completion.data
  }

  /// Waits for the end of a command that was sent, serving R2Ts from `writing`.
  func completion(
    of identifier: UInt16, writing: [UInt8] = [], corruptData: Bool = false, readByteCount: Int = 0, _ what: String,
    within patience: Duration = RawConnection.patience
  ) throws(RawError) -> RawCompletion {
    var received = [UInt8](repeating: 0, count: readByteCount)
    var receivedCount = 0
    var hasLast = false
    var requestedCount = 0
    while true {
      let pdu = try receive(what, within: patience)
      switch pdu.common.pduType {
      case .capsuleResponse:
        let entry = pdu.load { CompletionQueueEntry(loading: $0 + CapsuleResponseHeader.completionQueueEntryOffset) }
        guard entry.commandIdentifier == identifier else {
          throw .malformed("an answer to command \(entry.commandIdentifier), outstanding is \(identifier)")
        }
        guard receivedCount == 0 || hasLast || !entry.status.isSuccess else {
          throw .malformed("success, but no C2HData had LAST_PDU set")
        }
        return RawCompletion(entry: entry, data: Array(received[..<receivedCount]))
      case .controllerToHostData:
        let data = pdu.load(C2HDataHeader.init(loading:))
        guard data.commandIdentifier == identifier, Int(data.dataLength) == pdu.data.count else {
          throw .malformed("C2HData for command \(data.commandIdentifier) of \(pdu.data.count) bytes")
        }
        let end = Int(data.dataOffset) + pdu.data.count
        guard Int(data.dataOffset) == receivedCount, end <= readByteCount else {
          throw .malformed("C2HData at \(data.dataOffset), expected at \(receivedCount) of \(readByteCount)")
        }
        guard !hasLast else { throw .malformed("C2HData after the one with LAST_PDU") }
        hasLast = data.common.flags.contains(.last)
        received.replaceSubrange(receivedCount..<end, with: pdu.data)
        receivedCount = end
        if data.common.flags.contains(.success) {
          // The host would never learn the head of its submission queue.
          guard !hasFlowControl else { throw .malformed("C2HData with SUCCESS on a queue with flow control") }
          return RawCompletion(entry: CompletionQueueEntry(commandIdentifier: identifier), data: received)
        }
      case .readyToTransfer:
        let ready = pdu.load(ReadyToTransferHeader.init(loading:))
        let end = Int(ready.offset) + Int(ready.length)
        guard ready.commandIdentifier == identifier else {
          throw .malformed("R2T for command \(ready.commandIdentifier), outstanding is \(identifier)")
        }
        guard end <= writing.count, Int(ready.offset) == requestedCount else {
          throw .malformed(
            "R2T for \(ready.length) bytes at \(ready.offset); the command has \(writing.count), of which "
              + "\(requestedCount) were asked for")
        }
        requestedCount = end
        try send(writing, for: ready, corruptData: corruptData, what)
      default:
        throw .malformed("PDU type \(pdu.common.type) while \(what)")
      }
    }
  }

  /// Sends what an R2T asks for, in pieces of MAXH2CDATA at most.
  func send(
    _ writing: [UInt8], for ready: ReadyToTransferHeader, corruptData: Bool = false, _ what: String
  ) throws(RawError) {
    let end = Int(ready.offset) + Int(ready.length)
    var offset = Int(ready.offset)
    while offset < end {
      let count = min(end - offset, Int(parameters.maximumH2CDataLength))
      let header = H2CDataHeader(
        commandIdentifier: ready.commandIdentifier, transferTag: ready.transferTag, dataOffset: UInt32(offset),
        dataLength: UInt32(count), isLast: offset + count == end, parameters: parameters)
      let piece = Array(writing[offset..<offset + count])
      try send(pdu(.hostToControllerData, data: piece, corruptData: corruptData, store: header.store(to:)), what)
      offset += count
    }
  }

  // MARK: Helpers

  static func bytes(_ count: Int, _ store: (UnsafeMutableRawPointer) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      buffer.initialize(repeating: 0)
      store(UnsafeMutableRawPointer(buffer.baseAddress!))
      initialized = count
    }
  }

  private static func digest(_ bytes: [UInt8], isCorrupt: Bool) -> [UInt8] {
    let crc = bytes.withUnsafeBytes { nvmeof_crc32c_extend(0, $0.baseAddress, $0.count) } ^ (isCorrupt ? 1 : 0)
    return (0..<4).map { UInt8(truncatingIfNeeded: crc >> (8 * $0)) }
  }

  private func check(_ bytes: [UInt8], digestAt offset: Int, of whole: [UInt8], _ what: String) throws(RawError) {
    guard offset + 4 <= whole.count, Array(whole[offset..<offset + 4]) == Self.digest(bytes, isCorrupt: false) else {
      throw .malformed("the \(what) is wrong")
    }
  }
}
