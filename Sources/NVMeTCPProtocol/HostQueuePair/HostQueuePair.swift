public import NVMeProtocol

/// The host's side of one NVMe/TCP queue pair, sans-I/O: commands and received bytes in; bytes to send and completions
/// out. It knows neither sockets nor clocks, so the same code runs on a ring, in simulation and under the fuzzer.
///
/// Everything it needs is allocated when it is made; submitting, sending and completing allocate nothing.
///
/// Sending: ``buildSend()`` gathers what is to be sent into ``sendVectors``; the owner reports progress by
/// ``didSend(byteCount:)`` and asks again when all has gone. At most one such batch exists at a time.
///
/// Receiving: ``receive(_:)`` takes any chunk. Where a large payload is coming,
/// ``directReceiveVectors(into:capacity:)`` names the caller's own memory, to be received into without a copy.
///
/// Completions are left in a queue of the engine's own and taken by ``popCompletion()``.
public struct HostQueuePair: ~Copyable {
  public internal(set) var state = HostQueuePairState.initializing
  /// What both sides agreed upon; meaningful once ``state`` is ready.
  public var parameters: ConnectionParameters { receiver.parameters }
  /// The broken rule, when ``state`` is terminating.
  public internal(set) var violation: PDUViolation?
  /// What the controller complained of, when it asked for the end.
  public internal(set) var controllerTermination: TerminationRequest?
  public let configuration: HostQueuePairConfiguration

  var receiver: PDUReceiver
  // What the headers that are sent look like; right once the connection is initialized.
  var capsule: HeaderTemplate
  var capsuleWithData: HeaderTemplate
  var dataHeader: HeaderTemplate
  let slots: UnsafeMutablePointer<HostQueuePairSlot>
  private let indexBits: UInt16
  private let indexMask: UInt16
  /// Last in, first out: the slot used last is the one still in the cache.
  let freeSlots: UnsafeMutablePointer<UInt16>
  var unusedSlotCount: Int
  var sendQueue: IndexQueue
  let completions: UnsafeMutablePointer<CommandCompletion>
  let completionMask: Int
  var completionHead = 0
  var completionTail = 0
  /// The slot whose data PDU is being received.
  var receivingSlot = 0

  // The batch being sent. Its room is for what a queue of this depth usually has to send at once: a process may have
  // hundreds of queue pairs.
  var batch: OutgoingBatch
  let touched: UnsafeMutablePointer<UInt16>
  var touchedCount = 0

  // Where in a PDU the gathering stands; a PDU may reach over several batches.
  var emittingSlot = -1
  var emittingOffset = 0
  var emittingByteCount = 0
  var emittingDigest: UInt32 = 0
  var emitsDigest = false
  var needsConnectionRequest = true
  var needsTerminationRequest = false
  var offendingHeader: [UInt8] = []
  /// A slot whose generation is another one by now, and not the one before, has had a command since ``takeTraffic()``;
  /// empty before the first time.
  var trafficGenerations: [UInt16] = []
  /// How much data the latest C2HData PDU carries, in bytes: a hint at what the next one will.
  public internal(set) var latestDataByteCount = 0

  /// So many bytes are gathered into one batch, and what the last header, its digest and padding need beyond them. What is
  /// in one piece is cheaper for both sides; but data digests of a batch are computed before its first byte goes: a batch
  /// without bound leaves the controller without data meanwhile, and has left the processor's cache when the socket
  /// copies it.
  public static let batchByteLimit = 2 * 1024 * 1024
  /// What the capsule of a Fabrics command may carry on every queue.
  static let fabricsInCapsuleByteCount: UInt32 = 8192
  /// Most staging one PDU needs: a 72-byte header, digests and the padding that PDA asks for.
  static let stagingReserve = 256

  public init(configuration: HostQueuePairConfiguration) {
    precondition((1...4095).contains(configuration.depth), "a queue pair's depth is 1...4095")
    self.configuration = configuration
    let depth = configuration.depth
    receiver = PDUReceiver(role: .host, parameters: ConnectionParameters(requested: configuration.connectionRequest))
    slots = .allocate(capacity: depth)
    slots.initialize(repeating: HostQueuePairSlot(), count: depth)
    indexBits = UInt16(Int.bitWidth - (depth - 1).leadingZeroBitCount)
    indexMask = (1 << indexBits) &- 1
    capsule = HeaderTemplate(.capsuleCommand, hasData: false, parameters: receiver.parameters)
    capsuleWithData = HeaderTemplate(.capsuleCommand, hasData: true, parameters: receiver.parameters)
    dataHeader = HeaderTemplate(.hostToControllerData, hasData: true, parameters: receiver.parameters)
    freeSlots = .allocate(capacity: depth)
    for index in 0..<depth { freeSlots[index] = UInt16(depth - 1 - index) }
    unusedSlotCount = depth
    // A slot is in the send queue at most once at a time.
    sendQueue = IndexQueue(capacity: depth)
    var size = 1
    while size < depth { size *= 2 }
    completions = .allocate(capacity: size)
    completionMask = size - 1
    let vectorCapacity = min(max(4 * depth, 64), 512)
    batch = OutgoingBatch(
      vectorCapacity: vectorCapacity, stagingCapacity: min(max(depth, 8) * Self.stagingReserve, 32 * 1024))
    touched = .allocate(capacity: vectorCapacity)
  }

  deinit {
    slots.deallocate()
    freeSlots.deallocate()
    completions.deallocate()
    touched.deallocate()
  }

  /// Commands submitted and not completed.
  public var outstandingCount: Int { configuration.depth - unusedSlotCount }

  /// Commands, of the outstanding ones, that have something to send and are in no batch yet.
  public var unsentCommandCount: Int { sendQueue.count }

  /// Commands that can be submitted now. A completion that has not been taken yet counts as a command, because the
  /// queue of completions has room for `depth` of them.
  public var freeSlotCount: Int { unusedSlotCount &- (completionTail &- completionHead) }

  // MARK: Submission and slots

  /// Takes a command. Its command identifier and SGL are filled in here.
  ///
  /// - Parameters:
  ///   - data: the command's memory; it stays the caller's, and must stay valid until the completion.
  ///   - context, token: returned with the completion.
  ///   - deadlineNanoseconds: for ``expiredCommand(nowNanoseconds:)``; `.max` for none.
  /// - Returns: false when no command identifier is free, or the queue pair is not ready.
  public mutating func submit(
    _ command: SubmissionQueueEntry, data: DataSegments, direction: DataDirection,
    context: UnsafeMutableRawPointer?, token: UInt64, deadlineNanoseconds: UInt64
  ) -> Bool {
    guard state == .ready, freeSlotCount > 0 else { return false }
    unusedSlotCount -= 1
    let index = freeSlots[unusedSlotCount]
    let slot = slots + Int(index)
    slot.pointee.command = command
    var identifier = index | (slot.pointee.generation &<< indexBits)
    if identifier == .max {
      // FFFFh is no command's identifier: the error log says "no particular command" by it.
      slot.pointee.generation &+= 1
      identifier = index | (slot.pointee.generation &<< indexBits)
    }
    slot.pointee.command.commandIdentifier = identifier
    slot.pointee.data = data
    slot.pointee.contiguous = Self.contiguousMemory(of: data)
    slot.pointee.context = context
    slot.pointee.token = token
    slot.pointee.deadlineNanoseconds = deadlineNanoseconds
    slot.pointee.transferredByteCount = 0
    slot.pointee.requestedByteCount = 0
    slot.pointee.sendsUnderWay = 0
    slot.pointee.direction = direction
    slot.pointee.outcome = .answered
    slot.pointee.status = StatusField(rawValue: 0)
    // A Fabrics command's data may go there on any queue, whatever IOCCSZ says: NVMe/TCP 1.1, section 3.3.
    let fitsCapsule =
      direction == .hostToController
      && (Int(data.byteCount) <= configuration.maximumInCapsuleByteCount
        || command.opcode == AdminOpcode.fabrics.rawValue && data.byteCount <= Self.fabricsInCapsuleByteCount)
    slot.pointee.usesInCapsuleData = fitsCapsule
    // NVMe/TCP 1.1, section 3.3: an offset SGL for data in the capsule, else the transport's own data block.
    if data.byteCount == 0 {
      slot.pointee.command.sgl = .transport(length: 0)
    } else if fitsCapsule {
      slot.pointee.command.sgl = .inCapsule(offset: 0, length: data.byteCount)
    } else {
      slot.pointee.command.sgl = .transport(length: data.byteCount)
    }
    slot.pointee.phase = .queued
    enqueue(Int(index))
    return true
  }

  private static func contiguousMemory(of data: DataSegments) -> UnsafeMutableRawPointer? {
    guard let first = data.vectors, let base = first.pointee.base,
      Int(data.byteOffset) + Int(data.byteCount) <= first.pointee.count
    else { return nil }
    return base + Int(data.byteOffset)
  }

  mutating func enqueue(_ index: Int) {
    slots[index].isInSendQueue = true
    sendQueue.append(UInt16(index))
  }

  /// The slot that a command identifier names, or nil when it names no command that waits for an answer.
  ///
  /// Mutating, though it changes nothing: the compiler would lend a copy of the whole struct to a method that is not.
  @inline(__always)
  mutating func outstandingSlot(_ identifier: UInt16) -> Int? {
    let index = Int(identifier & indexMask)
    guard index < configuration.depth, slots[index].phase == .outstanding,
      slots[index].command.commandIdentifier == identifier
    else { return nil }
    return index
  }
}
