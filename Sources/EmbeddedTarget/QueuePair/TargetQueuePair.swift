internal import NVMeProtocol
package import NVMeTCPProtocol

/// The controller's side of an NVMe/TCP queue pair, sans-I/O: received bytes in; commands, their data and bytes to send
/// out. It knows neither sockets nor namespaces.
///
/// The owner calls ``next(_:)`` until it needs more, and answers each command with ``respond(_:status:dword0:dword1:)``,
/// ``sendData(_:from:byteCount:period:)`` or ``receiveData(_:into:byteCount:)``, at once or later. In the steady state
/// nothing here allocates.
package struct TargetQueuePair: ~Copyable {
  package enum Event: Equatable {
    /// The input is used up.
    case needsMore
    /// ICReq has come and ICResp is in the send queue.
    case initialized
    /// A command capsule's header has come; in-capsule data may follow. The owner answers, or keeps it.
    case command(Int)
    /// All the data the owner wanted by ``receiveData(_:into:byteCount:)`` has come and is sound.
    case dataComplete(Int)
    /// The host has ended the connection: ``hostTermination``.
    case hostTerminated
    /// The host broke a rule: ``violation``. A termination request is in the send queue; nothing more is read.
    case violation
  }

  package let configuration: TargetQueuePairConfiguration
  package var parameters: ConnectionParameters { receiver.parameters }
  package internal(set) var violation: PDUViolation?
  package internal(set) var hostTermination: TerminationRequest?
  package internal(set) var isTerminating = false

  var receiver: PDUReceiver
  package private(set) var slots: UnsafeMutablePointer<TargetSlot>
  package private(set) var slotCapacity: Int
  var freeSlots: UnsafeMutablePointer<UInt16>
  package internal(set) var freeSlotCount: Int
  var tagBits: UInt16 = 0
  /// Slots with something to send: a slot is in it at most once.
  var sendQueue: IndexQueue
  /// One bit a command identifier: outstanding.
  let identifiers: UnsafeMutablePointer<UInt64>
  /// Slots whose answer has become ready while a delay is on them; the owner takes them and sets its timer.
  package var newlyDelayed: [Int] = []

  // Receiving.
  /// The command whose capsule is being received; -1 for none.
  var capsuleSlot = -1
  /// The slot whose data is being received; -1: what comes is thrown away.
  var receivingSlot = -1
  var destination: UnsafeMutableRawPointer?
  var hostDataByteCount: UInt32 = 0

  // Submission queue.
  var submissionQueueSize: UInt16 = 2
  var submissionQueueHead: UInt16 = 0
  var hasFlowControl = true

  // The batch being sent.
  var batch = OutgoingBatch(vectorCapacity: Self.vectorCapacity, stagingCapacity: Self.stagingCapacity)
  /// Copies of data that a digest has been made of; allocated when data digests are agreed upon.
  var bulk: UnsafeMutableRawPointer?
  var bulkCount = 0
  var connectionResponse: ICResponse?
  var needsTerminationRequest = false
  var offendingHeader: [UInt8] = []
  /// Buffers that the batch points into. Their slots are free already: a host may use an identifier again as soon as
  /// it has the response, which can be before the kernel tells us that the batch has gone.
  let heldBuffers: UnsafeMutablePointer<HeldBuffer>
  var heldBufferCount = 0

  struct HeldBuffer {
    var buffer: UnsafeMutableRawPointer
    var sizeClass: Int8
  }

  var pool = BufferPool()
  /// Bytes of buffers that commands have, or that are still being sent.
  package internal(set) var lentByteCount = 0

  static let vectorCapacity = 1024
  static let stagingCapacity = 64 * 1024
  static let bulkCapacity = 512 * 1024
  static let maximumDigestedPDUByteCount: UInt32 = 128 * 1024
  /// Once so many bytes are gathered, the rest waits for the next batch.
  static let batchByteCount = 2 * 1024 * 1024

  package init(configuration: TargetQueuePairConfiguration) {
    self.configuration = configuration
    receiver = PDUReceiver(role: .controller, parameters: ConnectionParameters())
    slotCapacity = 2
    slots = .allocate(capacity: 2)
    slots.initialize(repeating: TargetSlot(), count: 2)
    freeSlots = .allocate(capacity: 2)
    freeSlots[0] = 1
    freeSlots[1] = 0
    freeSlotCount = 2
    tagBits = 1
    sendQueue = IndexQueue(capacity: 2)
    identifiers = .allocate(capacity: 1024)
    identifiers.initialize(repeating: 0, count: 1024)
    heldBuffers = .allocate(capacity: Self.vectorCapacity)
  }

  deinit {
    for index in 0..<slotCapacity { slots[index].buffer?.deallocate() }
    slots.deallocate()
    freeSlots.deallocate()
    identifiers.deallocate()
    bulk?.deallocate()
    for position in 0..<heldBufferCount { heldBuffers[position].buffer.deallocate() }
    heldBuffers.deallocate()
  }

  /// Sizes the queue when Connect tells it, while that command is the only one.
  ///
  /// - Parameters:
  ///   - entries: SQSIZE + 1, 2...65535.
  ///   - flowControl: false when the host has disabled submission queue flow control.
  ///   - maximumInCapsuleDataLength: bytes of in-capsule data the controller takes.
  package mutating func setQueue(entries: Int, flowControl: Bool, maximumInCapsuleDataLength: UInt32) {
    submissionQueueSize = UInt16(clamping: entries)
    submissionQueueHead = 0
    hasFlowControl = flowControl
    receiver.parameters.maximumInCapsuleDataLength = maximumInCapsuleDataLength
    let capacity = max(entries, slotCapacity)
    guard capacity > slotCapacity else { return }
    let newSlots = UnsafeMutablePointer<TargetSlot>.allocate(capacity: capacity)
    newSlots.initialize(repeating: TargetSlot(), count: capacity)
    newSlots.update(from: slots, count: slotCapacity)
    slots.deallocate()
    slots = newSlots
    let newFree = UnsafeMutablePointer<UInt16>.allocate(capacity: capacity)
    // The new ones below the old ones in the stack.
    let added = capacity - slotCapacity
    for position in 0..<added { newFree[position] = UInt16(capacity - 1 - position) }
    (newFree + added).update(from: freeSlots, count: freeSlotCount)
    freeSlots.deallocate()
    freeSlots = newFree
    freeSlotCount += added
    var newQueue = IndexQueue(capacity: capacity)
    while let index = sendQueue.popFirst() { newQueue.append(index) }
    sendQueue = newQueue
    slotCapacity = capacity
    tagBits = UInt16(Int.bitWidth - (capacity - 1).leadingZeroBitCount)
  }

  /// Commands that have come and are not answered.
  package var outstandingCount: Int { slotCapacity - freeSlotCount }

  // MARK: Slots

  /// The slot of a command that the owner has and that is neither moving data nor being answered.
  ///
  /// - Parameter exception: a slot that is not meant, such as that of the Abort command itself.
  package func heldSlot(commandIdentifier: UInt16, except exception: Int) -> Int? {
    for index in 0..<slotCapacity
    where slots[index].command.commandIdentifier == commandIdentifier && !slots[index].isConflict
      && index != exception
    {
      if slots[index].phase == .owned || slots[index].phase == .delayed { return index }
    }
    return nil
  }

  /// Memory of the slot's own, at least `byteCount` bytes (at most 16 MiB), given back when the command has ended.
  package mutating func buffer(_ index: Int, byteCount: Int) -> UnsafeMutableRawPointer {
    if let buffer = slots[index].buffer { return buffer }
    let (buffer, sizeClass) = pool.take(byteCount: byteCount)
    slots[index].bufferClass = sizeClass
    slots[index].buffer = buffer
    lentByteCount += BufferPool.byteCount(ofClass: sizeClass)
    return buffer
  }

  mutating func giveBack(_ buffer: UnsafeMutableRawPointer, _ sizeClass: Int8) {
    lentByteCount -= BufferPool.byteCount(ofClass: sizeClass)
    pool.giveBack(buffer, sizeClass)
  }

  mutating func enqueue(_ index: Int, _ pending: TargetSlot.Pending) {
    slots[index].pending = pending
    sendQueue.append(UInt16(index))
  }

  mutating func release(_ index: Int) {
    let slot = slots + index
    if let buffer = slot.pointee.buffer {
      giveBack(buffer, slot.pointee.bufferClass)
      slot.pointee.buffer = nil
    }
    if !slot.pointee.isConflict {
      let identifier = slot.pointee.command.commandIdentifier
      (identifiers + Int(identifier >> 6)).pointee &= ~(UInt64(1) << UInt64(identifier & 63))
    }
    slot.pointee.phase = .free
    slot.pointee.pending = .nothing
    slot.pointee.generation &+= 1
    freeSlots[freeSlotCount] = UInt16(index)
    freeSlotCount += 1
  }

  func tag(of index: Int) -> UInt16 { UInt16(index) | slots[index].generation << tagBits }
}
