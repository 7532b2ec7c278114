import CCRC32C
import NVMeProtocol
import NVMeTCPProtocol

/// The controller's end of one connection: takes the host's bytes where they lie, and has its answers ready in memory, as
/// a connection would bring them. It checks next to nothing: the host is what is looked at here.
struct MemoryController: ~Copyable {
  private let answers: UnsafeMutableRawPointer
  private var answerByteCount = 0
  private var takenByteCount = 0
  /// Bytes of the host's present PDU that are still to come, in later vectors.
  private var skippedByteCount = 0
  /// The command that is answered when all of that PDU has come.
  private var dataCommand: UInt16?
  private var parameters = ConnectionParameters()
  private let isAdmin: Bool
  private let hasResponseCapsule: Bool
  private var configurationRegister: UInt32 = 0
  /// The digest of the data of a read, which is always the same.
  private var dataDigest: (byteCount: Int, value: UInt32) = (0, 0)

  private static let capacity = (LoadShape.depth + 1) * (131_072 + 256)
  private static let maximumH2CDataByteCount: UInt32 = 131_072
  private let controllerIdentifier: UInt16
  /// All controllers have the same namespace.
  private static let nguid = Identifier128(high: 0x7f2d, low: 0x5ac5)

  init(isAdmin: Bool, hasResponseCapsule: Bool = false, controllerIdentifier: UInt16 = 1) {
    self.isAdmin = isAdmin
    self.controllerIdentifier = controllerIdentifier
    self.hasResponseCapsule = hasResponseCapsule
    answers = .allocate(byteCount: Self.capacity, alignment: 4096)
    answers.initializeMemory(as: UInt8.self, repeating: 0, count: Self.capacity)
  }

  deinit { answers.deallocate() }

  // MARK: The host's bytes

  // Never inlined: the controller's calls into our modules are told from the host's by their caller's name.
  @inline(never) mutating func take(_ vectors: UnsafeMutableBufferPointer<IOVector>) {
    for vector in vectors {
      var offset = 0
      while offset < vector.count {
        if skippedByteCount == 0 {
          // The host never has a header in two vectors.
          let start = UnsafeRawPointer(vector.base!) + offset
          let header = PDUCommonHeader(loading: start)
          skippedByteCount = Int(header.length)
          answer(header, start)
        }
        let count = min(skippedByteCount, vector.count - offset)
        skippedByteCount -= count
        offset += count
        if skippedByteCount == 0, let identifier = dataCommand.take() { respond(identifier) }
      }
    }
  }

  private mutating func answer(_ header: PDUCommonHeader, _ start: UnsafeRawPointer) {
    switch header.pduType {
    case .initializeConnectionRequest:
      let request = ICRequest(loading: start)
      let response = ICResponse(digests: request.digests, maximumH2CDataLength: Self.maximumH2CDataByteCount)
      response.store(to: next)
      answerByteCount += ICResponse.byteCount
      parameters = ConnectionParameters(request: request, response: response)
    case .capsuleCommand:
      let entry = SubmissionQueueEntry(loading: start + CapsuleCommandHeader.submissionQueueEntryOffset)
      if let type = entry.fabricsCommandType {
        answerFabrics(type, entry)
      } else if isAdmin {
        answerAdmin(entry)
      } else if entry.opcode == IOOpcode.read.rawValue {
        sendData(entry.commandIdentifier, byteCount: entry.blockCount * LoadShape.blockByteCount)
      } else if header.dataOffset == 0 {
        askForData(entry.commandIdentifier, byteCount: entry.blockCount * LoadShape.blockByteCount)
      } else {
        dataCommand = entry.commandIdentifier
      }
    case .hostToControllerData:
      if header.flags.contains(.last) { dataCommand = H2CDataHeader(loading: start).commandIdentifier }
    default:
      preconditionFailure("the host has sent a PDU of type \(header.type)")
    }
  }

  // MARK: Answers

  private var next: UnsafeMutableRawPointer { answers + answerByteCount }

  /// Appends the digest of a header that has just been written at ``next``, if there are digests.
  private mutating func finishHeader(byteCount: Int) {
    let start = next
    answerByteCount += byteCount
    guard parameters.headerDigest else { return }
    next.storeBytes(of: nvmeof_crc32c_extend(0, start, byteCount).littleEndian, as: UInt32.self)
    answerByteCount += PDULayout.digestByteCount
  }

  private mutating func respond(_ identifier: UInt16, result: UInt64 = 0) {
    var entry = CompletionQueueEntry(commandIdentifier: identifier)
    entry.result = result
    CapsuleResponseHeader(parameters: parameters).store(to: next)
    entry.store(to: next + CapsuleResponseHeader.completionQueueEntryOffset)
    finishHeader(byteCount: CapsuleResponseHeader.byteCount)
  }

  private mutating func askForData(_ identifier: UInt16, byteCount: Int) {
    ReadyToTransferHeader(
      commandIdentifier: identifier, transferTag: identifier, offset: 0, length: UInt32(byteCount),
      parameters: parameters
    ).store(to: next)
    finishHeader(byteCount: ReadyToTransferHeader.byteCount)
  }

  private mutating func sendData(_ identifier: UInt16, byteCount: Int, _ bytes: [UInt8]? = nil) {
    precondition(answerByteCount + byteCount + 256 <= Self.capacity)
    C2HDataHeader(
      commandIdentifier: identifier, dataOffset: 0, dataLength: UInt32(byteCount), isLast: true,
      isSuccess: !hasResponseCapsule, parameters: parameters
    ).store(to: next)
    finishHeader(byteCount: C2HDataHeader.byteCount)
    let start = next
    if let bytes {
      bytes.withUnsafeBytes { start.copyMemory(from: $0.baseAddress!, byteCount: byteCount) }
    } else {
      start.initializeMemory(as: UInt8.self, repeating: LoadShape.fill, count: byteCount)
    }
    answerByteCount += byteCount
    if parameters.dataDigest {
      if dataDigest.byteCount != byteCount { dataDigest = (byteCount, nvmeof_crc32c_extend(0, start, byteCount)) }
      next.storeBytes(of: dataDigest.value.littleEndian, as: UInt32.self)
      answerByteCount += PDULayout.digestByteCount
    }
    if hasResponseCapsule { respond(identifier) }
  }

  // MARK: Setting up

  private mutating func answerFabrics(_ type: FabricsCommandType, _ entry: SubmissionQueueEntry) {
    var result: UInt64 = 0
    switch (type, entry.propertyFields.offset) {
    case (.connect, _):
      result = UInt64(controllerIdentifier)
    case (.propertyGet, ControllerProperty.controllerCapabilities.offset):
      result = ControllerCapabilities(maximumQueueEntries: 1024, timeoutMilliseconds: 5000).rawValue
    case (.propertyGet, ControllerProperty.version.offset):
      result = 0x0002_0100
    case (.propertySet, ControllerProperty.controllerConfiguration.offset):
      configurationRegister = UInt32(truncatingIfNeeded: entry.propertyFields.value)
    case (.propertyGet, ControllerProperty.controllerStatus.offset):
      // CC.SHN asks for a shutdown, which is over at once.
      let isShutDown = configurationRegister & 0xC000 != 0
      result = UInt64(
        ControllerStatus(ready: true, fatal: false, shutdown: isShutDown ? .complete : .normalOperation).rawValue)
    default:
      preconditionFailure("the host has sent a fabrics command of type \(type)")
    }
    respond(entry.commandIdentifier, result: result)
  }

  private mutating func answerAdmin(_ entry: SubmissionQueueEntry) {
    switch AdminOpcode(rawValue: entry.opcode) {
    case .setFeatures:
      // Number of Queues: 0 is one, zeroes based. The others return nothing.
      respond(entry.commandIdentifier)
    case .asynchronousEventRequest:
      break
    case .identify:
      let bytes =
        switch IdentifyStructure(rawValue: UInt8(truncatingIfNeeded: entry.cdw10)) {
        case .controller: identification.encode()
        case .activeNamespaceList: NamespaceIdentifierList([1]).encode()
        case .namespace: IdentifyNamespace(blocks: 1 << 20, dataSizeExponent: 9).encode()
        case .namespaceDescriptors: NamespaceDescriptorList(nguid: Self.nguid, commandSet: .nvm).encode()
        default: preconditionFailure("the host asks for a structure that is not there")
        }
      sendData(entry.commandIdentifier, byteCount: bytes.count, bytes)
    default:
      preconditionFailure("the host has sent admin command \(entry.opcode)")
    }
  }

  private var identification: IdentifyController {
    var identify = IdentifyController()
    identify.controllerIdentifier = controllerIdentifier
    identify.controllerType = 1
    identify.ioCommandCapsuleSize = UInt32(64 + LoadShape.inCapsuleByteCount) / 16
    identify.ioResponseCapsuleSize = 1
    identify.namespaceCount = 1
    identify.submissionQueueEntrySize = 0x66
    identify.completionQueueEntrySize = 0x44
    identify.sglSupport = 1
    return identify
  }

  // MARK: The answers' way to the host

  /// Answers that the host has not taken.
  var untakenByteCount: Int { answerByteCount - takenByteCount }

  /// Up to `byteCount` of them, valid until the next call of ``take(_:)``.
  mutating func nextAnswers(atMost byteCount: Int) -> UnsafeRawBufferPointer {
    let count = min(byteCount, untakenByteCount)
    let start = answers + takenByteCount
    takenByteCount += count
    if untakenByteCount == 0 {
      takenByteCount = 0
      answerByteCount = 0
    }
    return UnsafeRawBufferPointer(start: start, count: count)
  }
}
