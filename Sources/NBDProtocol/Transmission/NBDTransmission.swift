public import NVMeProtocol

/// The server's side of the transmission phase, sans-I/O: bytes in, requests out; their ends in, replies out.
///
/// It holds a table of requests. A request is taken when it has a place there, and a write also memory for its data; while
/// there is none the input stays where it is, and so, in the end, in the client's socket. Reads get memory when they are
/// handed out, which they are not while the client has much to fetch: what has been read would only be pushed out of the
/// processor's caches before it is sent. What breaks a rule that has an error number is answered without the device. A
/// write's payload may be received straight into its memory (``directVector``).
///
/// Replies go out in the order in which requests end, as I/O vectors of headers kept here and of the requests' memory; the
/// memory is given back when the last byte has been sent.
public struct NBDTransmission: ~Copyable {
  /// Payload that no server has to call an attack ("Size constraints").
  private static let harmlessPayloadByteCount: UInt64 = 1 << 25
  /// With so much to be fetched by the client no more is read.
  public static let replyWindowByteCount = 1 << 20
  private static let requestByteCount = 28
  private static let extendedRequestByteCount = 32
  /// Room for any reply without its data: an extended header and the longest fixed payload.
  private static let headerStride = 64
  /// Header, data; or header, text.
  private static let vectorsPerReply = 2
  private static let maximumVectorCount = 1024

  public private(set) var state = NBDTransmissionState.open
  public let session: NBDSession
  /// What requests are held against; to be changed when the export changes. The minimum block size never does.
  public var limits: NBDExportLimits { didSet { limitsChanged() } }
  /// Set: requests are taken no more, but answered with this.
  public var rejection: NBDFailure?

  private let pool: Unmanaged<NBDBufferPool>
  private let client: NBDBufferPool.Client
  private let requestLimit: Int
  private let memoryLimit: Int
  private let ownMemoryByteCount: Int
  private let slots: UnsafeMutablePointer<NBDRequestSlot>
  private let headers: UnsafeMutableRawPointer
  private let vectors: UnsafeMutablePointer<IOVector>
  private let vectorCapacity: Int
  /// Bytes of a request without payload.
  public let headerByteCount: Int
  private let blockMask: UInt64

  private var free: IndexQueue
  private var ready: IndexQueue
  private var replies: IndexQueue
  private var sending: IndexQueue
  private var firstVector = 0
  private var vectorEnd = 0
  /// The end of a send that is cut within a reply's data, and how many bytes of its last vector wait for the next one.
  private var cutEnd = 0
  private var cutByteCount = 0
  private var memoryByteCount = 0
  /// The first of ``ready`` is a read for which there is no memory: what needs none goes before it, and no write gets more.
  private var isMemoryWanted = false
  /// Of buffers of reads that have ended and have not been sent.
  private var replyByteCount = 0
  /// Requests with the device.
  public private(set) var outstandingCount = 0
  /// Of these, those that have been answered already.
  private var answeredCount = 0

  /// The header that is being collected, or that waits for a place.
  private let partial: UnsafeMutableRawPointer
  private var partialByteCount = 0
  /// Whose payload is being received.
  private var payloadIndex: UInt16?
  private var payloadLeft: UInt64 = 0
  private var payloadPosition = 0

  /// - Parameter client: as whom it waits for memory; its own table of requests if not given.
  public init(
    session: NBDSession, configuration: NBDTransmissionConfiguration = NBDTransmissionConfiguration(),
    pool: NBDBufferPool, client: NBDBufferPool.Client? = nil
  ) {
    self.session = session
    limits = session.export.limits
    self.pool = .passRetained(pool)
    requestLimit = min(4096, max(1, configuration.requestLimit))
    memoryLimit = configuration.memoryLimitByteCount
    ownMemoryByteCount = configuration.ownMemoryByteCount
    headerByteCount = session.style == .extended ? Self.extendedRequestByteCount : Self.requestByteCount
    blockMask = UInt64(session.export.limits.minimumBlockByteCount) - 1
    let slots = UnsafeMutablePointer<NBDRequestSlot>.allocate(capacity: requestLimit)
    slots.initialize(repeating: NBDRequestSlot(), count: requestLimit)
    self.slots = slots
    // Of the local variable: with that of `self` in its closure `??` has optimized code destroy what is not initialized yet.
    self.client = client ?? NBDBufferPool.Client(slots)
    headers = .allocate(byteCount: requestLimit * Self.headerStride, alignment: 64)
    vectorCapacity = min(Self.maximumVectorCount, requestLimit * Self.vectorsPerReply)
    vectors = .allocate(capacity: vectorCapacity)
    partial = .allocate(byteCount: Self.extendedRequestByteCount, alignment: 8)
    free = IndexQueue(capacity: requestLimit)
    ready = IndexQueue(capacity: requestLimit)
    replies = IndexQueue(capacity: requestLimit)
    sending = IndexQueue(capacity: requestLimit)
    for index in 0..<requestLimit { free.append(UInt16(index)) }
  }

  /// Whoever owns it sees to it that nothing is outstanding and nothing is being sent.
  deinit {
    pool.takeUnretainedValue().giveBack(borrowedByteCount)
    pool.takeUnretainedValue().stopWaiting(client)
    for index in 0..<requestLimit {
      if let buffer = slots[index].buffer { pool.takeUnretainedValue().give(buffer, slots[index].sizeClass) }
    }
    slots.deallocate()
    headers.deallocate()
    vectors.deallocate()
    partial.deallocate()
    pool.release()
  }

  private mutating func limitsChanged() {
    precondition(UInt64(limits.minimumBlockByteCount) - 1 == blockMask, "the block size of an export stays")
  }

  /// No request is anywhere between its header and the end of its reply.
  public var isIdle: Bool { free.count == requestLimit && partialByteCount == 0 }
  /// No request is anywhere between the end of its own bytes and the end of its reply.
  public var hasNothingToDo: Bool { free.count + answeredCount == requestLimit - (payloadIndex == nil ? 0 : 1) }

  // MARK: Input

  /// Takes input.
  ///
  /// - Returns: how many bytes have been taken. Fewer than there are: there is no place for more requests, or ``state`` is
  ///   not `open` any more. Try again when requests have ended.
  public mutating func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
    // Without any, a header that was complete already may find a place now.
    let base = bytes.baseAddress ?? UnsafeRawPointer(partial)
    var position = 0
    while state == .open {
      if let index = payloadIndex {
        let count = Int(min(payloadLeft, UInt64(bytes.count - position)))
        if let buffer = slots[Int(index)].buffer {
          (buffer + payloadPosition).copyMemory(from: base + position, byteCount: count)
        }
        position += count
        payloadArrived(count)
        if payloadIndex != nil { break }
        continue
      }
      if partialByteCount == 0, bytes.count - position >= headerByteCount {
        // The usual case: all of the header is here.
        if take(base + position) {
          position += headerByteCount
          continue
        }
        break
      }
      let count = min(headerByteCount - partialByteCount, bytes.count - position)
      (partial + partialByteCount).copyMemory(from: base + position, byteCount: count)
      partialByteCount += count
      position += count
      guard partialByteCount == headerByteCount, take(UnsafeRawPointer(partial)) else { break }
      partialByteCount = 0
    }
    return position
  }

  /// A request is complete up to its payload, and has no place.
  public var isWaitingForPlace: Bool { partialByteCount == headerByteCount }
  /// Bytes that the next header lacks.
  public var missingHeaderByteCount: Int { headerByteCount - partialByteCount }

  /// Where the rest of a payload may be received to, without coming by ``receive(_:)``; nil when none is outstanding.
  public var directVector: IOVector? {
    mutating get {
      guard let index = payloadIndex, let buffer = slots[Int(index)].buffer else { return nil }
      return IOVector(base: buffer + payloadPosition, count: Int(payloadLeft))
    }
  }

  /// So many bytes have been received to ``directVector``.
  public mutating func didReceiveDirectly(byteCount: Int) { payloadArrived(byteCount) }

  private mutating func payloadArrived(_ byteCount: Int) {
    payloadLeft -= UInt64(byteCount)
    payloadPosition += byteCount
    guard payloadLeft == 0, let index = payloadIndex else { return }
    payloadIndex = nil
    dispatch(index)
  }

  /// Takes a header. False when there is no place for the request.
  private mutating func take(_ header: UnsafeRawPointer) -> Bool {
    let isExtended = session.style == .extended
    guard header.bigEndian(0, as: UInt32.self) == (isExtended ? NBDMagic.extendedRequest : NBDMagic.request) else {
      state = .violated(.badMagic)
      return false
    }
    let flags = NBDCommandFlags(rawValue: header.bigEndian(4, as: UInt16.self))
    let command = NBDCommand(rawValue: header.bigEndian(6, as: UInt16.self))
    let offset = header.bigEndian(16, as: UInt64.self)
    let length = isExtended ? header.bigEndian(24, as: UInt64.self) : UInt64(header.bigEndian(24, as: UInt32.self))
    let hasPayload = isExtended ? flags.contains(.payloadLength) : command == .write
    if hasPayload, length > max(UInt64(limits.maximumPayloadByteCount), Self.harmlessPayloadByteCount) {
      state = .violated(.oversizedPayload)
      return false
    }
    if command == .disconnect, !hasPayload {
      state = .disconnecting
      return true
    }
    guard let index = free.popFirst() else { return false }
    let slot = slots + Int(index)
    slot.pointee.cookie = header.bigEndian(8, as: UInt64.self)
    slot.pointee.offset = offset
    slot.pointee.length = length
    slot.pointee.command = command
    slot.pointee.flags = flags
    slot.pointee.slackByteCount = 0
    slot.pointee.failure = failure(command, flags, offset, length, hasPayload)
    if slot.pointee.failure == nil, command == .write, isMemoryWanted || !takeBuffer(slot) {
      free.prepend(index)
      return false
    }
    if hasPayload, length > 0 {
      payloadIndex = index
      payloadLeft = length
      payloadPosition = 0
    } else {
      dispatch(index)
    }
    return true
  }

  /// Memory for the blocks of a read or write. False when the client has as much as it may.
  private mutating func takeBuffer(_ slot: UnsafeMutablePointer<NBDRequestSlot>) -> Bool {
    let slack = slot.pointee.offset & blockMask
    let blocks = (slack + slot.pointee.length + blockMask) & ~blockMask
    let sizeClass = NBDBufferPool.sizeClass(forByteCount: Int(blocks))
    let byteCount = NBDBufferPool.byteCount(of: sizeClass)
    guard memoryByteCount == 0 || memoryByteCount + byteCount <= memoryLimit else { return false }
    let borrowed =
      Self.excess(memoryByteCount + byteCount, over: ownMemoryByteCount)
      - Self.excess(memoryByteCount, over: ownMemoryByteCount)
    if borrowed > 0 {
      let client = client
      guard pool._withUnsafeGuaranteedRef({ $0.borrow(borrowed, client) }) else { return false }
    }
    memoryByteCount += byteCount
    slot.pointee.slackByteCount = UInt32(slack)
    slot.pointee.sizeClass = sizeClass
    slot.pointee.buffer = pool._withUnsafeGuaranteedRef { $0.take(sizeClass) }
    return true
  }

  private static func excess(_ byteCount: Int, over limit: Int) -> Int { max(0, byteCount - limit) }

  /// Of the memory of its requests, what is borrowed from what all clients share.
  public var borrowedByteCount: Int { Self.excess(memoryByteCount, over: ownMemoryByteCount) }

  /// Clients wait for memory: whenever some may have been given back, ``NBDBufferPool/nextTurn()`` tells whose turn it is.
  ///
  /// (Mutating, because a caller in another module would copy all of this to call it otherwise.)
  public var hasWaiters: Bool { mutating get { pool._withUnsafeGuaranteedRef { $0.hasWaiters } } }

  /// What is wrong with a request; nil when nothing is. (It mutates nothing: but a method that says so would be lent a copy
  /// of everything here.)
  private mutating func failure(
    _ command: NBDCommand, _ flags: NBDCommandFlags, _ offset: UInt64, _ length: UInt64, _ hasPayload: Bool
  ) -> NBDFailure? {
    if let rejection { return rejection }
    if session.style == .extended {
      guard hasPayload == (command == .write) else { return hasPayload ? .unexpectedPayload : .unknownFlags }
    }
    var allowed: NBDCommandFlags = session.style == .extended && command == .write ? .payloadLength : []
    if limits.flags.contains(.sendForceUnitAccess) { allowed.insert(.forceUnitAccess) }
    switch command {
    case .read:
      if session.style != .simple { allowed.insert(.doNotFragment) }
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      if length == 0 { return .zeroLength }
      if !isWithin(offset, length) { return .readBeyondEnd }
      if length > UInt64(limits.maximumPayloadByteCount) {
        return session.style == .simple ? .payloadTooLarge : .readTooLarge
      }
      return nil
    case .write:
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      if limits.flags.contains(.readOnly) { return .readOnly }
      if length == 0 { return .zeroLength }
      if length > UInt64(limits.maximumPayloadByteCount) { return .payloadTooLarge }
      if !isWithin(offset, length) { return .writeBeyondEnd }
      return (offset | length) & blockMask == 0 ? nil : .misaligned
    case .flush:
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      return offset == 0 && length == 0 ? nil : .reservedFields
    case .trim:
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      if limits.flags.contains(.readOnly) { return .readOnly }
      guard limits.flags.contains(.sendTrim) else { return .unknownCommand }
      if length == 0 { return .zeroLength }
      return isWithin(offset, length) ? nil : .readBeyondEnd
    case .writeZeroes:
      allowed.insert(.noHole)
      if limits.flags.contains(.sendFastZero) { allowed.insert(.fastZero) }
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      if limits.flags.contains(.readOnly) { return .readOnly }
      guard limits.flags.contains(.sendWriteZeroes) else { return .unknownCommand }
      if length == 0 { return .zeroLength }
      if !isWithin(offset, length) { return .writeBeyondEnd }
      return (offset | length) & blockMask == 0 ? nil : .misaligned
    case .cache:
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      return isWithin(offset, length) ? nil : .readBeyondEnd
    case .blockStatus:
      allowed.insert(.requestOne)
      guard allowed.isSuperset(of: flags) else { return .unknownFlags }
      // Only chunks can answer it.
      guard session.allocationContextIdentifier != nil, session.style != .simple else { return .notNegotiated }
      if length == 0 { return .zeroLength }
      return isWithin(offset, length) ? nil : .readBeyondEnd
    default:
      return .unknownCommand
    }
  }

  private func isWithin(_ offset: UInt64, _ length: UInt64) -> Bool {
    offset <= limits.byteCount && length <= limits.byteCount - offset
  }

  /// All of a request is here: it goes to the device, or is answered.
  private mutating func dispatch(_ index: UInt16) {
    let slot = slots + Int(index)
    if slot.pointee.failure == nil {
      switch slot.pointee.command {
      case .read, .write, .flush, .writeZeroes:
        ready.append(index)
        return
      case .trim where !trimmedRange(slot.pointee).isEmpty:
        ready.append(index)
        return
      default:
        break
      }
    }
    replies.append(index)
  }

  /// The blocks that lie wholly within a trim: a hint may be followed in part.
  private func trimmedRange(_ slot: NBDRequestSlot) -> Range<UInt64> {
    // The export ends at a block's end: this does not overflow.
    let start = (slot.offset + blockMask) & ~blockMask
    return start..<max(start, (slot.offset + slot.length) & ~blockMask)
  }

  // MARK: Requests

  /// Some may have to wait until others have ended, or answers have been sent.
  public var hasRequests: Bool { !ready.isEmpty }

  /// There is no memory for a read, and nothing to be sent that would give some back.
  public var waitsForMemory: Bool { isMemoryWanted && !wantsToSend }

  /// Hands out a request for the device; it is answered by ``complete(_:_:)``.
  public mutating func popRequest() -> NBDRequest? {
    guard var index = ready.first else { return nil }
    var slot = slots + Int(index)
    if slot.pointee.command == .read, slot.pointee.buffer == nil {
      guard replyByteCount < Self.replyWindowByteCount else { return nil }
      isMemoryWanted = !takeBuffer(slot)
    }
    if isMemoryWanted {
      guard let other = popNeedingNoMemory() else { return nil }
      index = other
      slot = slots + Int(index)
    } else {
      _ = ready.popFirst()
    }
    outstandingCount += 1
    var request = NBDRequest(
      index: index, operation: .flush,
      isForceUnitAccess: slot.pointee.flags.contains(.forceUnitAccess),
      isNoHole: slot.pointee.flags.contains(.noHole), isFastZero: slot.pointee.flags.contains(.fastZero),
      offset: 0, byteCount: 0,
      memory: UnsafeMutableRawBufferPointer(start: nil, count: 0))
    switch slot.pointee.command {
    case .read:
      request.operation = .read
      let slack = UInt64(slot.pointee.slackByteCount)
      request.offset = slot.pointee.offset - slack
      request.byteCount = (slack + slot.pointee.length + blockMask) & ~blockMask
    case .write:
      request.operation = .write
      request.offset = slot.pointee.offset
      request.byteCount = slot.pointee.length
    case .writeZeroes:
      request.operation = .writeZeroes
      request.offset = slot.pointee.offset
      request.byteCount = slot.pointee.length
    case .trim:
      request.operation = .trim
      let range = trimmedRange(slot.pointee)
      request.offset = range.lowerBound
      request.byteCount = range.upperBound - range.lowerBound
    default:
      break
    }
    if let buffer = slot.pointee.buffer {
      request.memory = UnsafeMutableRawBufferPointer(start: buffer, count: Int(request.byteCount))
    }
    return request
  }

  /// The first request of those that need no memory: they have theirs, which they are to give back, or no data.
  @inline(never) private mutating func popNeedingNoMemory() -> UInt16? {
    var found: UInt16?
    for _ in 0..<ready.count {
      guard let index = ready.popFirst() else { break }
      let slot = slots + Int(index)
      if found == nil, slot.pointee.command != .read || slot.pointee.buffer != nil {
        found = index
      } else {
        ready.append(index)
      }
    }
    return found
  }

  /// Takes back a request that the device has no room for just now: it is handed out first next time.
  public mutating func putBack(_ index: UInt16) {
    outstandingCount -= 1
    ready.prepend(index)
  }

  /// A trim that was handed out is done, and not yet persistent: it is handed out once more, as a flush.
  @inline(never) public mutating func flush(_ index: UInt16) {
    let slot = slots + Int(index)
    if slot.pointee.isAbandoned { return complete(index, nil) }
    slot.pointee.command = .flush
    putBack(index)
  }

  /// A request that was handed out has ended; its memory is the engine's again.
  public mutating func complete(_ index: UInt16, _ failure: NBDFailure?) {
    outstandingCount -= 1
    let slot = slots + Int(index)
    if slot.pointee.isAbandoned { return completeAbandoned(index) }
    slot.pointee.failure = failure
    if slot.pointee.buffer != nil {
      if slot.pointee.command == .read, failure == nil {
        replyByteCount += NBDBufferPool.byteCount(of: slot.pointee.sizeClass)
      } else {
        giveBuffer(slot)
      }
    }
    replies.append(index)
  }

  /// Requests that have not been handed out are not carried out any more: the client is gone.
  public mutating func dropRequests() {
    isMemoryWanted = false
    while let index = ready.popFirst() { release(index) }
    let client = client
    pool._withUnsafeGuaranteedRef { $0.stopWaiting(client) }
  }

  /// Every request that is complete and has not ended is answered with `failure`, also those that the device has: their memory
  /// is the device's until it is done with them.
  public mutating func abandonRequests(_ failure: NBDFailure) {
    isMemoryWanted = false
    // Whatever is in no queue is with the device: it would cost every request something to keep that otherwise.
    var isOutstanding = [Bool](repeating: true, count: requestLimit)
    if let payloadIndex { isOutstanding[Int(payloadIndex)] = false }
    free.forEach { isOutstanding[Int($0)] = false }
    replies.forEach { isOutstanding[Int($0)] = false }
    sending.forEach { isOutstanding[Int($0)] = false }
    while let index = ready.popFirst() {
      isOutstanding[Int(index)] = false
      giveBuffer(slots + Int(index))
      slots[Int(index)].failure = failure
      replies.append(index)
    }
    for index in 0..<requestLimit where isOutstanding[index] && !slots[index].isAbandoned {
      slots[index].isAbandoned = true
      slots[index].failure = failure
      replies.append(UInt16(index))
    }
  }

  @inline(never) private mutating func completeAbandoned(_ index: UInt16) {
    let slot = slots + Int(index)
    slot.pointee.isAbandoned = false
    giveBuffer(slot)
    guard slot.pointee.isAnswered else { return }
    slot.pointee.isAnswered = false
    answeredCount -= 1
    release(index)
  }

  // MARK: Output

  public var wantsToSend: Bool { firstVector < vectorEnd || !replies.isEmpty }

  /// What is to be sent next, in this order, about ``replyWindowByteCount`` at most, so that ``didSend(byteCount:)`` hears
  /// of it now and then; valid until that has been told of all of it.
  public mutating func buildSend() -> UnsafeMutableBufferPointer<IOVector> {
    if firstVector == vectorEnd {
      firstVector = 0
      vectorEnd = 0
      while vectorCapacity - vectorEnd >= Self.vectorsPerReply, let index = replies.popFirst() {
        emit(index)
        sending.append(index)
      }
    }
    let end = replyByteCount > Self.replyWindowByteCount ? cut() : vectorEnd
    return UnsafeMutableBufferPointer(
      rebasing: UnsafeMutableBufferPointer(start: vectors, count: end)[firstVector...])
  }

  /// Ends the next send within a reply's data, where there is so much of it. Returns the end of its vectors.
  @inline(never) private mutating func cut() -> Int {
    var room = Self.replyWindowByteCount
    var end = firstVector
    while end < vectorEnd, room > 0 {
      let vector = vectors + end
      if vector.pointee.count > room {
        cutByteCount = vector.pointee.count - room
        vector.pointee = IOVector(base: vector.pointee.base!, count: room)
      }
      room -= vector.pointee.count
      end += 1
    }
    cutEnd = end
    return end
  }

  /// So many bytes of what was to be sent are with the kernel, which needs the memory no more.
  public mutating func didSend(byteCount: Int) {
    if cutByteCount > 0 { rejoin() }
    var left = byteCount
    while left > 0 {
      let vector = vectors + firstVector
      if left < vector.pointee.count {
        vector.pointee = IOVector(base: vector.pointee.base! + left, count: vector.pointee.count - left)
        return
      }
      left -= vector.pointee.count
      firstVector += 1
      vectorSent()
    }
  }

  @inline(never) private mutating func rejoin() {
    let vector = vectors + (cutEnd - 1)
    vector.pointee = IOVector(base: vector.pointee.base!, count: vector.pointee.count + cutByteCount)
    cutByteCount = 0
  }

  private mutating func vectorSent() {
    guard let index = sending.first else { return }
    // By a pointer: the compiler's thread sanitizer fails on the subscript (Swift 6.3.1).
    (slots + Int(index)).pointee.vectorCount -= 1
    guard slots[Int(index)].vectorCount == 0 else { return }
    _ = sending.popFirst()
    if slots[Int(index)].isAbandoned {
      slots[Int(index)].isAnswered = true
      answeredCount += 1
      return
    }
    if slots[Int(index)].buffer != nil {
      replyByteCount -= NBDBufferPool.byteCount(of: slots[Int(index)].sizeClass)
    }
    release(index)
  }

  private mutating func giveBuffer(_ slot: UnsafeMutablePointer<NBDRequestSlot>) {
    guard let buffer = slot.pointee.buffer else { return }
    let sizeClass = slot.pointee.sizeClass
    slot.pointee.buffer = nil
    let borrowed = Self.excess(memoryByteCount, over: ownMemoryByteCount)
    memoryByteCount -= NBDBufferPool.byteCount(of: sizeClass)
    let givenBack = borrowed - Self.excess(memoryByteCount, over: ownMemoryByteCount)
    pool._withUnsafeGuaranteedRef { pool in
      if givenBack > 0 { pool.giveBack(givenBack) }
      pool.give(buffer, sizeClass)
    }
  }

  private mutating func release(_ index: UInt16) {
    giveBuffer(slots + Int(index))
    // Last in, first out: what was used last is in the processor's caches.
    free.prepend(index)
  }

  private mutating func append(_ base: UnsafeMutableRawPointer, _ count: Int) {
    vectors[vectorEnd] = IOVector(base: base, count: count)
    vectorEnd += 1
  }

  private mutating func emit(_ index: UInt16) {
    let slot = slots + Int(index)
    let header = headers + Int(index) * Self.headerStride
    let first = vectorEnd
    if slot.pointee.failure != nil {
      emitFailure(slot, header)
    } else if slot.pointee.command == .read, let buffer = slot.pointee.buffer {
      let data = buffer + Int(slot.pointee.slackByteCount)
      let byteCount = Int(slot.pointee.length)
      if session.style == .simple {
        simpleHeader(header, slot, error: 0)
        append(header, 16)
      } else {
        let size = chunkHeader(header, slot, .offsetData, payloadByteCount: 8 + byteCount)
        header.store(bigEndian: slot.pointee.offset, at: size)
        append(header, size + 8)
      }
      append(data, byteCount)
    } else if slot.pointee.command == .blockStatus {
      emitBlockStatus(slot, header)
    } else if session.style == .extended {
      append(header, chunkHeader(header, slot, .none, payloadByteCount: 0))
    } else {
      simpleHeader(header, slot, error: 0)
      append(header, 16)
    }
    slot.pointee.vectorCount = UInt8(vectorEnd - first)
  }

  @inline(never)
  private mutating func emitFailure(_ slot: UnsafeMutablePointer<NBDRequestSlot>, _ header: UnsafeMutableRawPointer) {
    let failure = slot.pointee.failure ?? .deviceError
    guard session.style != .simple else {
      simpleHeader(header, slot, error: failure.error.rawValue)
      append(header, 16)
      return
    }
    let text = failure.text
    let size = chunkHeader(header, slot, .error, payloadByteCount: 6 + text.utf8CodeUnitCount)
    header.store(bigEndian: failure.error.rawValue, at: size)
    header.store(bigEndian: UInt16(text.utf8CodeUnitCount), at: size + 4)
    append(header, size + 6)
    // It is only read.
    append(UnsafeMutableRawPointer(mutating: text.utf8Start), text.utf8CodeUnitCount)
  }

  /// All blocks are allocated, as far as anybody knows: one extent.
  @inline(never)
  private mutating func emitBlockStatus(
    _ slot: UnsafeMutablePointer<NBDRequestSlot>, _ header: UnsafeMutableRawPointer
  ) {
    let identifier = session.allocationContextIdentifier ?? 0
    if session.style == .extended {
      let size = chunkHeader(header, slot, .blockStatusExtended, payloadByteCount: 24)
      header.store(bigEndian: identifier, at: size)
      header.store(bigEndian: 1 as UInt32, at: size + 4)
      header.store(bigEndian: slot.pointee.length, at: size + 8)
      header.store(bigEndian: 0 as UInt64, at: size + 16)
      append(header, size + 24)
    } else {
      let size = chunkHeader(header, slot, .blockStatus, payloadByteCount: 12)
      header.store(bigEndian: identifier, at: size)
      header.store(bigEndian: UInt32(slot.pointee.length), at: size + 4)
      header.store(bigEndian: 0 as UInt32, at: size + 8)
      append(header, size + 12)
    }
  }

  private func simpleHeader(
    _ header: UnsafeMutableRawPointer, _ slot: UnsafeMutablePointer<NBDRequestSlot>, error: UInt32
  ) {
    header.store(bigEndian: NBDMagic.simpleReply, at: 0)
    header.store(bigEndian: error, at: 4)
    header.store(bigEndian: slot.pointee.cookie, at: 8)
  }

  /// The only and therefore last chunk of a reply. Returns the header's size.
  private func chunkHeader(
    _ header: UnsafeMutableRawPointer, _ slot: UnsafeMutablePointer<NBDRequestSlot>, _ type: NBDReplyType,
    payloadByteCount: Int
  ) -> Int {
    let isExtended = session.style == .extended
    header.store(bigEndian: isExtended ? NBDMagic.extendedReply : NBDMagic.structuredReply, at: 0)
    // NBD_REPLY_FLAG_DONE
    header.store(bigEndian: 1 as UInt16, at: 4)
    header.store(bigEndian: type.rawValue, at: 6)
    header.store(bigEndian: slot.pointee.cookie, at: 8)
    if isExtended {
      header.store(bigEndian: slot.pointee.offset, at: 16)
      header.store(bigEndian: UInt64(payloadByteCount), at: 24)
      return 32
    }
    header.store(bigEndian: UInt32(payloadByteCount), at: 16)
    return 20
  }
}
