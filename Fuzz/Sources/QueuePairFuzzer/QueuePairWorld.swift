import NVMeProtocol
import NVMeTCPProtocol

/// A host's queue pair, its commands, and a controller that does what the input says: mostly right, sometimes not.
struct QueuePairWorld: ~Copyable {
  private var input: FuzzInput
  private var host: HostQueuePair
  private var stream = HostStream()
  private let maximumInCapsuleByteCount: Int
  private var commands: [UInt64: FuzzedCommand] = [:]
  private var nextToken: UInt64 = 1
  private var incoming: [UInt8] = []
  private var isClean = true
  private var hasSentResponse = false
  private var hasFailedAll = false
  private let directVectors = UnsafeMutablePointer<IOVector>.allocate(capacity: 8)

  static let operationLimit = 120
  static let sizes = [0, 1, 4, 512, 516, 4096, 5000, 8192, 8196, 20_000]
  static let pieceCounts = [1, 1, 1, 2, 3, 7, 40, 600]

  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    input = FuzzInput(bytes)
    let choice = input.byte()
    maximumInCapsuleByteCount = [0, 512, 4096, 8192][Int(choice >> 6)]
    var configuration = HostQueuePairConfiguration(
      depth: 1 + input.below(9), maximumInCapsuleByteCount: maximumInCapsuleByteCount)
    configuration.requestsHeaderDigest = choice & 1 != 0
    configuration.requestsDataDigest = choice & 2 != 0
    if choice & 4 != 0 { configuration.hostPDUDataAlignment = input.byte() % 32 }
    host = HostQueuePair(configuration: configuration)
    if choice & 8 == 0 { sendConnectionResponse(damage: .none) }
    if choice & 16 != 0 {
      // Bytes as they are.
      isClean = false
      incoming += input.rest()
    }
  }

  deinit { directVectors.deallocate() }

  mutating func run() {
    var operations = 0
    while !input.isEmpty && operations < Self.operationLimit {
      operations += 1
      step()
    }
    feed(whole: true)
    if input.byte() & 1 == 0 {
      while send(all: true) {}
      if !hasFailedAll, host.state == .terminating, let violation = host.violation, violation.isReportable {
        check(stream.hasTerminated, "no termination request for \(violation)")
      }
    }
    collect()
    host.failAll()
    collect()
    check(commands.isEmpty, "\(commands.count) commands have not ended")
    check(host.outstandingCount == 0, "slots are missing")
  }

  private mutating func step() {
    switch input.below(12) {
    case 0: submit(.controllerToHost)
    case 1: submit(.hostToController)
    case 2: submit(.none)
    case 3: _ = send(all: false)
    case 4: _ = send(all: true)
    case 5: feed(whole: false)
    case 6: feed(whole: true)
    case 7: collect()
    case 8: sendData()
    case 9: sendReadyToTransfer()
    case 10: sendResponse()
    default: if input.byte() < 48 { sendOther() }
    }
    if input.isEmpty { return }
  }

  // MARK: The host's user

  private mutating func submit(_ direction: DataDirection) {
    let size = direction == .none ? 0 : Self.sizes[input.below(Self.sizes.count)]
    let shape = input.byte()
    let command = FuzzedCommand(
      token: nextToken, direction: direction, byteCount: size, pieceCount: Self.pieceCounts[Int(shape & 7)],
      prefix: shape & 8 == 0 ? 0 : 5, suffix: shape & 16 == 0 ? 0 : 9)
    var entry = SubmissionQueueEntry(opcode: 2, namespaceIdentifier: 1)
    entry.cdw12 = UInt32(nextToken)
    let isFree = host.state == .ready && host.freeSlotCount > 0
    let isTaken = host.submit(
      entry, data: command.segments, direction: direction,
      context: UnsafeMutableRawPointer(bitPattern: Int(nextToken) << 4), token: nextToken, deadlineNanoseconds: 1000)
    check(isTaken == isFree, "a command was \(isTaken ? "" : "not ")taken")
    guard isTaken else { return }
    commands[nextToken] = command
    nextToken += 1
    check(host.expiredCommandCount(nowNanoseconds: 1000) == host.outstandingCount, "deadlines are wrong")
  }

  /// The socket takes some or all of the batch, and reads that memory as it does.
  private mutating func send(all: Bool) -> Bool {
    let total = host.buildSend()
    guard total > 0 else { return false }
    check(host.sendVectors.reduce(0) { $0 + $1.count } == total, "vectors and bytes to send differ")
    var left = all ? total : 1 + input.below(total)
    let taken = left
    for vector in host.sendVectors where left > 0 {
      let count = min(left, vector.count)
      stream.receive(UnsafeRawBufferPointer(start: vector.base, count: count), commands: commands)
      left -= count
    }
    host.didSend(byteCount: taken)
    return true
  }

  private mutating func collect() {
    while let completion = host.popCompletion() {
      guard let command = commands.removeValue(forKey: completion.token) else {
        fatalError("token \(completion.token) completed twice, or was never submitted")
      }
      check(completion.context == UnsafeMutableRawPointer(bitPattern: Int(command.token) << 4), "the context differs")
      command.checkCanaries()
      guard isClean, completion.outcome != .connectionLost, completion.outcome != .notSent else { continue }
      if command.isDamaged {
        check(completion.outcome == .dataDigestError, "a data digest error went unnoticed")
      } else if command.expectsSuccess {
        check(
          completion.outcome == .answered && completion.status.isSuccess,
          "a command failed for no reason: \(completion.outcome) \(completion.status)")
        if command.direction == .controllerToHost { command.checkData() }
      } else if command.expectsShortData {
        check(completion.outcome == .shortData, "missing data went unnoticed")
      }
    }
    check(host.outstandingCount == commands.count, "\(host.outstandingCount) outstanding, \(commands.count) known")
  }

  /// Bytes arrive: in pieces, some straight in the command's memory.
  private mutating func feed(whole: Bool) {
    var left = whole ? incoming.count : min(incoming.count, 1 + input.below(300))
    let step = whole ? max(left, 1) : 1 + input.below(200)
    var position = 0
    while left > 0 {
      var count = min(step, left)
      let direct = host.directReceiveVectors(
        into: directVectors, capacity: 1 + left % 4, minimumByteCount: left & 8 == 0 ? 1 : 64)
      if direct.vectorCount > 0 {
        count = min(left, max(1, min(direct.byteCount, step)))
        var copied = 0
        for index in 0..<direct.vectorCount {
          let length = min(directVectors[index].count, count - copied)
          if length > 0 {
            directVectors[index].base!.copyMemory(
              from: Array(incoming[position + copied..<position + copied + length]), byteCount: length)
          }
          copied += length
        }
        check(copied == count, "direct vectors cover less than they say")
        host.didReceiveDirectly(byteCount: count)
      } else {
        // A copy of just these bytes, for the sanitizer to watch its ends.
        let chunk = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 1)
        incoming.withUnsafeBytes {
          chunk.copyMemory(from: $0.baseAddress! + position, byteCount: count)
        }
        let wasHealthy = host.state == .ready || host.state == .initializing
        let isHealthy = host.receive(UnsafeRawBufferPointer(start: chunk, count: count))
        chunk.deallocate()
        check(isHealthy == (host.state == .ready || host.state == .initializing), "receive and state disagree")
        check(wasHealthy || !isHealthy, "a queue pair came back to life")
        if host.state == .ready {
          stream.agree(on: host.parameters, maximumInCapsuleByteCount: maximumInCapsuleByteCount)
        }
        if isClean, let violation = host.violation { fatalError("a violation for no reason: \(violation)") }
      }
      position += count
      left -= count
    }
    incoming.removeFirst(position)
  }

  // MARK: The controller

  private mutating func damage() -> ScriptedPDU.Damage {
    switch input.byte() {
    case 0..<244: return .none
    case 244..<250:
      isClean = false
      return .header(offset: Int(input.byte()), value: input.byte())
    case 250..<252:
      isClean = false
      return .headerDigest
    default:
      return .dataDigest
    }
  }

  /// One of the commands the controller knows of and has not answered.
  private mutating func pick(_ direction: DataDirection?) -> FuzzedCommand? {
    let candidates = commands.values.filter {
      $0.identifier != nil && !$0.isAnswered && (direction == nil || $0.direction == direction)
    }.sorted { $0.token < $1.token }
    guard !candidates.isEmpty else { return nil }
    return candidates[input.below(candidates.count)]
  }

  private mutating func sendData() {
    guard let command = pick(.controllerToHost), command.transferred < command.byteCount else { return }
    let left = command.byteCount - command.transferred
    let shape = input.byte()
    // Offsets are dword aligned, so that only the last piece may have any length.
    let count = shape & 1 == 0 ? left : min(left, 4 * (1 + input.below(left)))
    let isLast = shape & 2 != 0
    let isSuccess = isLast && shape & 4 != 0
    let damage = damage()
    let header = C2HDataHeader(
      commandIdentifier: command.identifier!, dataOffset: UInt32(command.transferred), dataLength: UInt32(count),
      isLast: isLast, isSuccess: isSuccess, parameters: host.parameters)
    let data = (0..<count).map { FuzzedCommand.pattern(command.token, command.transferred + $0) }
    incoming += ScriptedPDU(headerByteCount: C2HDataHeader.byteCount, data: data)
      .bytes(parameters: host.parameters, damage: damage, store: header.store(to:))
    if case .dataDigest = damage, host.parameters.dataDigest { command.isDamaged = true }
    command.transferred += count
    if isSuccess {
      command.isAnswered = true
      command.expectsSuccess = command.transferred == command.byteCount
      command.expectsShortData = !command.expectsSuccess
    }
  }

  private mutating func sendReadyToTransfer() {
    guard let command = pick(.hostToController), !command.usesInCapsuleData,
      command.byteCount > maximumInCapsuleByteCount
    else { return }
    // One at a time (MAXR2T 0), and dword aligned.
    guard command.transferred == command.requested, command.requested < command.byteCount, command.requested % 4 == 0
    else { return }
    let left = command.byteCount - command.requested
    let count = input.byte() & 1 == 0 ? left : 1 + input.below(left)
    let header = ReadyToTransferHeader(
      commandIdentifier: command.identifier!, transferTag: input.word(), offset: UInt32(command.requested),
      length: UInt32(count), parameters: host.parameters)
    incoming += ScriptedPDU(headerByteCount: ReadyToTransferHeader.byteCount)
      .bytes(parameters: host.parameters, damage: damage(), store: header.store(to:))
    command.requested += count
  }

  private mutating func sendResponse() {
    let command = pick(nil)
    if command == nil { isClean = false }
    var entry = CompletionQueueEntry()
    entry.commandIdentifier = command?.identifier ?? input.word()
    let isSuccess = input.byte() < 200
    entry.status = isSuccess ? .success : .invalidCommandOpcode
    let header = CapsuleResponseHeader(parameters: host.parameters)
    incoming += ScriptedPDU(headerByteCount: CapsuleResponseHeader.byteCount)
      .bytes(parameters: host.parameters, damage: damage()) {
        header.store(to: $0)
        entry.store(to: $0 + CapsuleResponseHeader.completionQueueEntryOffset)
      }
    guard let command else { return }
    command.isAnswered = true
    let isComplete = command.transferred == command.byteCount
    command.expectsSuccess = isSuccess && isComplete
    command.expectsShortData = isSuccess && !isComplete && command.direction == .controllerToHost
  }

  private mutating func sendConnectionResponse(damage: ScriptedPDU.Damage) {
    if hasSentResponse { isClean = false }
    hasSentResponse = true
    var digests: PDUDigests = []
    if host.configuration.requestsHeaderDigest { digests.insert(.header) }
    if host.configuration.requestsDataDigest { digests.insert(.data) }
    let response = ICResponse(
      digests: digests, controllerPDUDataAlignment: input.byte() % 32,
      maximumH2CDataLength: [4096, 8192, 131_072, .max - 3][input.below(4)])
    incoming += ScriptedPDU(headerByteCount: ICResponse.byteCount)
      .bytes(parameters: host.parameters, damage: damage, store: response.store(to:))
    if case .none = damage, isClean { feed(whole: true) }
  }

  private mutating func sendOther() {
    switch input.below(4) {
    case 0:
      sendConnectionResponse(damage: damage())
    case 1:
      isClean = false
      let count = input.below(64)
      incoming += input.take(count)
    case 2:
      isClean = false
      let count = input.below(129)
      let request = TerminationRequest(
        sender: .controller, fatalErrorStatus: .pduSequenceError, fatalErrorInformation: UInt32(input.word()),
        offendingHeaderByteCount: count)
      incoming += ScriptedPDU(headerByteCount: TerminationRequest.headerByteCount)
        .bytes(parameters: host.parameters, damage: damage(), store: request.store(to:))
      incoming += [UInt8](repeating: 0, count: count)
    default:
      isClean = false
      hasFailedAll = true
      host.failAll()
      collect()
    }
  }
}
