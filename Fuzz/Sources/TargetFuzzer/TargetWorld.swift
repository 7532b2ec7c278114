import CCRC32C
import NVMeProtocol
import NVMeTCPProtocol

/// The embedded target's queue pair against a host that does as the input says: mostly right, sometimes not.
struct TargetWorld: ~Copyable {
  private struct Request {
    var identifier: UInt16
    var tag: UInt16
    var offset: UInt32
    var length: UInt32
  }

  private var input: FuzzInput
  private var target: TargetQueuePair
  /// The host's side: the target's output must keep every rule, whatever it was fed.
  private var receiver: PDUReceiver
  private var requests: [Request] = []
  private var incoming: [UInt8] = []
  private var nextIdentifier: UInt16 = 0
  /// Commands that the owner does not answer.
  private var held: Set<UInt16> = []

  static let operationLimit = 120

  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    input = FuzzInput(bytes)
    let choice = input.byte()
    var configuration = TargetQueuePairConfiguration()
    configuration.allowsHeaderDigest = choice & 1 != 0
    configuration.allowsDataDigest = choice & 2 != 0
    configuration.usesSuccessFlag = choice & 4 != 0
    if choice & 8 != 0 {
      configuration.maximumH2CDataLength = 4096
      configuration.maximumReadyToTransferLength = 4096 * (1 + UInt32(input.byte() % 4))
      configuration.maximumC2HDataLength = 4 * (1 + UInt32(input.word()))
      configuration.controllerPDUDataAlignmentBytes = (Int(input.byte() % 32) + 1) * 4
    }
    target = TargetQueuePair(configuration: configuration)
    var request = ICRequest(
      digests: PDUDigests(rawValue: choice >> 4 & 3), hostPDUDataAlignment: input.byte() % 32)
    request.maximumReadyToTransfer = UInt32(input.byte() % 3)
    receiver = PDUReceiver(role: .host, parameters: ConnectionParameters(requested: request))
    target.setQueue(
      entries: 2 + input.below(10), flowControl: choice & 64 != 0, maximumInCapsuleDataLength: 8192)
    if choice & 128 == 0 { append(ICRequest.byteCount, [], request.store(to:)) } else { incoming += input.rest() }
  }

  mutating func run() {
    var operations = 0
    while !input.isEmpty && operations < Self.operationLimit {
      operations += 1
      switch input.below(7) {
      case 0, 1: sendCommand()
      case 2: sendData()
      case 3: feed(upTo: 1 + input.below(300))
      case 4: feed(upTo: incoming.count)
      case 5: send(all: input.byte() & 1 == 0)
      default: incoming += input.take(input.below(40))
      }
    }
    feed(upTo: incoming.count)
    for identifier in held { while endHeld(identifier) {} }
    releaseDelayed()
    var batches = 0
    while target.buildSend() > 0 {
      send(all: true)
      feed(upTo: incoming.count)
      releaseDelayed()
      batches += 1
      check(batches < 10_000, "the target never stops sending")
    }
    guard !target.isTerminating else { return }
    for index in 0..<target.slotCapacity {
      let phase = target.slots[index].phase
      check(phase == .free || phase == .receiving, "slot \(index) is left \(phase)")
    }
  }

  // MARK: The host

  private mutating func append(_ headerByteCount: Int, _ data: [UInt8], _ store: (UnsafeMutableRawPointer) -> Void) {
    var header = [UInt8](repeating: 0, count: headerByteCount)
    header.withUnsafeMutableBytes { store($0.baseAddress!) }
    let common = header.withUnsafeBytes { PDUCommonHeader(loading: $0.baseAddress!) }
    // Now and then a byte of the header is another one, under a digest that is right.
    if input.byte() > 235 { header[Int(input.byte()) % headerByteCount] = input.byte() }
    incoming += header
    if common.flags.contains(.headerDigest) { appendDigest(of: header) }
    guard !data.isEmpty else { return }
    let padding = Int(common.dataOffset) - headerByteCount - (common.flags.contains(.headerDigest) ? 4 : 0)
    incoming += [UInt8](repeating: 0, count: max(padding, 0))
    incoming += data
    if common.flags.contains(.dataDigest) { appendDigest(of: data) }
  }

  private mutating func appendDigest(of bytes: [UInt8]) {
    var digest = bytes.withUnsafeBytes { nvmeof_crc32c_extend(0, $0.baseAddress, $0.count) }
    if input.byte() > 250 { digest ^= 1 }
    incoming += (0..<4).map { UInt8(truncatingIfNeeded: digest >> UInt32($0 * 8)) }
  }

  private mutating func sendCommand() {
    let shape = input.byte()
    let byteCount = [0, 4, 512, 4096, 8192, 20_000][Int(shape & 7) % 6]
    let isWrite = shape & 8 != 0
    var entry = SubmissionQueueEntry(opcode: isWrite ? 1 : 2, namespaceIdentifier: 1)
    entry.commandIdentifier = shape & 16 == 0 ? nextIdentifier : input.word()
    nextIdentifier &+= 1
    entry.cdw10 = UInt32(shape & 32 == 0 ? byteCount : input.below(30_000))
    if shape & 128 != 0 { entry.cdw11 = UInt32(input.byte()) }
    let isInCapsule = isWrite && shape & 64 != 0 && byteCount <= 8192
    entry.sgl =
      isInCapsule ? .inCapsule(offset: 0, length: UInt32(byteCount)) : .transport(length: UInt32(byteCount))
    let data = isInCapsule ? [UInt8](repeating: shape, count: byteCount) : []
    append(CapsuleCommandHeader.byteCount, data) { [parameters = target.parameters] in
      PDUCommonHeader(type: .capsuleCommand, dataLength: data.count, parameters: parameters).store(to: $0)
      entry.store(to: $0 + CapsuleCommandHeader.submissionQueueEntryOffset)
    }
  }

  private mutating func sendData() {
    guard !requests.isEmpty else { return }
    let index = input.below(requests.count)
    let request = requests[index]
    let shape = input.byte()
    var length = min(request.length, target.parameters.maximumH2CDataLength)
    if shape & 1 != 0, length > 4 { length = 4 * (1 + UInt32(input.below(Int(length / 4)))) }
    length = min(length, request.length)
    let isLast = length == request.length
    requests[index].offset &+= length
    requests[index].length -= length
    if isLast { requests.remove(at: index) }
    let header = H2CDataHeader(
      commandIdentifier: request.identifier, transferTag: request.tag, dataOffset: request.offset,
      dataLength: length, isLast: isLast, parameters: target.parameters)
    append(
      H2CDataHeader.byteCount, [UInt8](repeating: shape, count: Int(min(length, 1 << 17))), header.store(to:))
  }

  // MARK: The owner of the target's queue pair

  private mutating func feed(upTo limit: Int) {
    let count = min(incoming.count, limit)
    guard count > 0 else { return }
    var left = count
    if let place = target.directDestination, !place.isEmpty, count & 1 == 0 {
      let direct = min(place.count, count)
      place.copyBytes(from: incoming[..<direct])
      target.didReceiveDirectly(byteCount: direct)
      left -= direct
    }
    let chunk = UnsafeMutableRawPointer.allocate(byteCount: max(left, 1), alignment: 1)
    defer { chunk.deallocate() }
    incoming.withUnsafeBytes { chunk.copyMemory(from: $0.baseAddress! + (count - left), byteCount: left) }
    incoming.removeFirst(count)
    var bytes = UnsafeRawBufferPointer(start: chunk, count: left)
    while true {
      switch target.next(&bytes) {
      case .needsMore: return
      case .initialized: break
      case .command(let index): answer(index)
      case .dataComplete(let index): target.respond(index)
      case .hostTerminated, .violation: break
      }
    }
  }

  private mutating func answer(_ index: Int) {
    let command = target.slots[index].command
    // As the target's faults and asynchronous event requests have it.
    if command.cdw11 & 1 != 0 { target.slots[index].delayNanoseconds = 1 }
    if command.cdw11 & 2 != 0 {
      held.insert(command.commandIdentifier)
      return
    }
    let byteCount = Int(command.cdw10 % 30_000)
    guard byteCount > 0 else {
      target.respond(index)
      return
    }
    let isWrite = command.opcode & 1 != 0
    let placement = target.dataPlacement(index, byteCount: byteCount, isWrite: isWrite)
    if case .invalid(let status) = placement {
      target.respond(index, status: status)
      return
    }
    let memory = target.buffer(index, byteCount: byteCount)
    if isWrite {
      target.receiveData(index, placement: placement, into: memory, byteCount: byteCount)
    } else {
      memory.initializeMemory(as: UInt8.self, repeating: 0x5A, count: byteCount)
      target.sendData(index, from: memory, byteCount: byteCount, period: command.cdw11 & 4 != 0 ? 256 : 0)
    }
  }

  private mutating func releaseDelayed() {
    for index in target.newlyDelayed {
      target.releaseDelayed(index, generation: target.slots[index].generation)
      // A second time it finds nothing.
      target.releaseDelayed(index, generation: target.slots[index].generation &- 1)
    }
    target.newlyDelayed.removeAll()
  }

  /// As Abort does.
  private mutating func endHeld(_ identifier: UInt16) -> Bool {
    guard let index = target.heldSlot(commandIdentifier: identifier, except: -1) else { return false }
    target.slots[index].delayNanoseconds = 0
    target.respond(index, status: .commandAbortRequested)
    return true
  }

  private mutating func send(all: Bool) {
    if all { releaseDelayed() }
    let total = target.buildSend()
    guard total > 0 else { return }
    let taken = all ? total : 1 + input.below(min(total, 60_000))
    var left = taken
    for vector in target.sendVectors where left > 0 {
      let count = min(left, vector.count)
      listen(UnsafeRawBufferPointer(start: vector.base, count: count))
      left -= count
    }
    target.didSend(byteCount: taken)
  }

  private mutating func listen(_ bytes: UnsafeRawBufferPointer) {
    var bytes = bytes
    while true {
      switch receiver.next(&bytes) {
      case .needsMore: return
      case .violation: fatalError("the target broke a rule: \(receiver.violation.map { "\($0)" } ?? "")")
      case .header:
        switch receiver.common.pduType {
        case .initializeConnectionResponse:
          // What the target goes by is what it has been sent, which need not be what this host meant to send.
          receiver.parameters = target.parameters
        case .readyToTransfer:
          let header = ReadyToTransferHeader(loading: receiver.header)
          requests.append(
            Request(
              identifier: header.commandIdentifier, tag: header.transferTag, offset: header.offset,
              length: header.length))
        default: break
        }
      case .payload:
        if receiver.common.flags.contains(.dataDigest) {
          receiver.digest = nvmeof_crc32c_extend(receiver.digest, receiver.piece, receiver.pieceCount)
        }
      case .end:
        check(!receiver.hasDataDigestError, "the target sent a wrong data digest")
      }
    }
  }
}
