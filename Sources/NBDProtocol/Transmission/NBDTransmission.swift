internal import NVMeProtocol

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
  static let harmlessPayloadByteCount: UInt64 = 1 << 25
  /// With so much to be fetched by the client no more is read.
  public static let replyWindowByteCount = 1 << 20
  static let requestByteCount = 28
  static let extendedRequestByteCount = 32
  /// Room for any reply without its data: an extended header and the longest fixed payload.
  static let headerStride = 64
  /// Header, data; or header, text.
  static let vectorsPerReply = 2
  static let maximumVectorCount = 1024

  public internal(set) var state = NBDTransmissionState.open
  public let session: NBDSession
  /// What requests are held against; to be changed when the export changes. The minimum block size never does.
  public var limits: NBDExportLimits { didSet { limitsChanged() } }
  /// Set: requests are taken no more, but answered with this.
  public var rejection: NBDFailure?

  let pool: Unmanaged<NBDBufferPool>
  let client: NBDBufferPool.Client
  let requestLimit: Int
  let memoryLimit: Int
  let ownMemoryByteCount: Int
  let slots: UnsafeMutablePointer<NBDRequestSlot>
  let headers: UnsafeMutableRawPointer
  let vectors: UnsafeMutablePointer<IOVector>
  let vectorCapacity: Int
  /// Bytes of a request without payload.
  public let headerByteCount: Int
  let blockMask: UInt64

  var free: IndexQueue
  var ready: IndexQueue
  var replies: IndexQueue
  var sending: IndexQueue
  var firstVector = 0
  var vectorEnd = 0
  /// The end of a send that is cut within a reply's data, and how many bytes of its last vector wait for the next one.
  var cutEnd = 0
  var cutByteCount = 0
  var memoryByteCount = 0
  /// The first of ``ready`` is a read for which there is no memory: what needs none goes before it, and no write gets more.
  var isMemoryWanted = false
  /// Of buffers of reads that have ended and have not been sent.
  var replyByteCount = 0
  /// Requests with the device.
  public internal(set) var outstandingCount = 0
  /// Of these, those that have been answered already.
  var answeredCount = 0

  /// The header that is being collected, or that waits for a place.
  let partial: UnsafeMutableRawPointer
  var partialByteCount = 0
  /// Whose payload is being received.
  var payloadIndex: UInt16?
  var payloadLeft: UInt64 = 0
  var payloadPosition = 0

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

  mutating func limitsChanged() {
    precondition(UInt64(limits.minimumBlockByteCount) - 1 == blockMask, "the block size of an export stays")
  }

  /// No request is anywhere between its header and the end of its reply.
  public var isIdle: Bool { free.count == requestLimit && partialByteCount == 0 }
  /// No request is anywhere between the end of its own bytes and the end of its reply.
  public var hasNothingToDo: Bool { free.count + answeredCount == requestLimit - (payloadIndex == nil ? 0 : 1) }
}
