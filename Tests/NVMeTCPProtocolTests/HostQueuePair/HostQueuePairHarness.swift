import NVMeProtocol
import NVMeTCPProtocol
import Testing

/// A ``HostQueuePair``, the other side of it, and the socket between them, which may cut bytes as it likes.
final class HostQueuePairHarness {
  var engine: HostQueuePair
  let controller = HostQueuePairController()
  /// Everything that the host has sent.
  private(set) var output: [UInt8] = []
  private(set) var completions: [CommandCompletion] = []
  /// Kept as long as the engine may use it.
  private var memories: [HostQueuePairMemory] = []
  /// How many bytes go at once in each direction; nil means all that there are.
  var sendCut: (() -> Int)?
  var receiveCut: (() -> Int)?
  /// From so many bytes on payload is received straight into place, as the socket does it; nil for never.
  var directThreshold: Int?

  init(
    depth: Int = 8, inCapsule: Int = 8192, headerDigest: Bool = false, dataDigest: Bool = false,
    hostAlignment: UInt8 = 0
  ) {
    var configuration = HostQueuePairConfiguration(depth: depth, maximumInCapsuleByteCount: inCapsule)
    configuration.requestsHeaderDigest = headerDigest
    configuration.requestsDataDigest = dataDigest
    configuration.hostPDUDataAlignment = hostAlignment
    engine = HostQueuePair(configuration: configuration)
  }

  // The engine cannot be copied, so the expectation macros cannot look into it themselves.
  var state: HostQueuePairState { engine.state }
  var parameters: ConnectionParameters { engine.parameters }
  var violation: PDUViolation? { engine.violation }
  var controllerTermination: TerminationRequest? { engine.controllerTermination }
  var freeSlotCount: Int { engine.freeSlotCount }
  var outstandingCount: Int { engine.outstandingCount }
  var wantsToSend: Bool { engine.wantsToSend }
  var hasCompletions: Bool { engine.hasCompletions }
  func takeTraffic() -> Bool { engine.takeTraffic() }
  func buildSend() -> Int { engine.buildSend() }
  func expiredCommandCount(_ now: UInt64) -> Int { engine.expiredCommandCount(nowNanoseconds: now) }
  func takeExpiredCommand(_ now: UInt64, extending: UInt64) -> UInt16? {
    engine.takeExpiredCommand(nowNanoseconds: now, extendingNanoseconds: extending)
  }

  /// Exchanges ICReq and ICResp.
  func connect(controllerAlignment: UInt8 = 0, maximumH2CDataLength: UInt32 = 131_072) throws {
    send()
    var digests: PDUDigests = []
    if engine.configuration.requestsHeaderDigest { digests.insert(.header) }
    if engine.configuration.requestsDataDigest { digests.insert(.data) }
    #expect(
      feed(
        try controller.connectionResponse(
          digests: digests, alignment: controllerAlignment, maximumH2CDataLength: maximumH2CDataLength)))
    try #require(state == .ready)
  }

  /// A command that reads into `memory`.
  @discardableResult
  func read(_ memory: HostQueuePairMemory, token: UInt64 = 0, segments: DataSegments? = nil) -> Bool {
    submit(.read(namespaceIdentifier: 1, startingLBA: 0, blockCount: 1), memory, .controllerToHost, token, segments)
  }

  /// A command that writes from `memory`.
  @discardableResult
  func write(_ memory: HostQueuePairMemory, token: UInt64 = 0, segments: DataSegments? = nil) -> Bool {
    submit(.write(namespaceIdentifier: 1, startingLBA: 0, blockCount: 1), memory, .hostToController, token, segments)
  }

  /// A command without data.
  @discardableResult
  func fabricsConnect(_ memory: HostQueuePairMemory) -> Bool {
    submit(.fabricsConnect(queueIdentifier: 1, entries: 128), memory, .hostToController, 0, nil)
  }

  @discardableResult
  func flush(token: UInt64 = 0) -> Bool {
    engine.submit(
      .flush(namespaceIdentifier: 1), data: .none, direction: .none, context: nil, token: token,
      deadlineNanoseconds: .max)
  }

  private func submit(
    _ command: SubmissionQueueEntry, _ memory: HostQueuePairMemory, _ direction: DataDirection, _ token: UInt64,
    _ segments: DataSegments?
  ) -> Bool {
    memories.append(memory)
    return engine.submit(
      command, data: segments ?? memory.segments(), direction: direction, context: nil, token: token,
      deadlineNanoseconds: .max)
  }

  /// Sends all there is, in as many pieces as the socket likes, and lets the controller read it.
  func send() {
    sendWithoutTaking()
    takeCompletions()
  }

  func sendWithoutTaking() {
    while engine.buildSend() > 0 { sendPiece() }
  }

  /// Lets the socket take one piece of the present batch.
  func sendPiece() {
    let waiting = engine.buildSend()
    guard waiting > 0 else { return }
    var bytes: [UInt8] = []
    for vector in engine.sendVectors { bytes += UnsafeRawBufferPointer(start: vector.base, count: vector.count) }
    #expect(bytes.count == waiting)
    let count = min(waiting, max(1, sendCut?() ?? waiting))
    let piece = Array(bytes.prefix(count))
    output += piece
    controller.receive(piece)
    engine.didSend(byteCount: count)
  }

  /// Hands bytes to the host, each chunk in an allocation of its own that is gone afterwards.
  ///
  /// - Returns: what the engine said last: false when it takes no more.
  @discardableResult
  func feed(_ bytes: [UInt8]) -> Bool {
    defer { takeCompletions() }
    return feedWithoutTaking(bytes)
  }

  func feedWithoutTaking(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    var isHealthy = true
    while !rest.isEmpty && isHealthy {
      if let directThreshold, receiveDirectly(&rest, directThreshold) {
        // The end of a payload that was received directly is noticed in the next call, with or without bytes.
        isHealthy = engine.receive(UnsafeRawBufferPointer(start: nil, count: 0))
        continue
      }
      let count = min(rest.count, max(1, receiveCut?() ?? rest.count))
      let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
      chunk.copyBytes(from: rest.prefix(count))
      isHealthy = engine.receive(UnsafeRawBufferPointer(chunk))
      chunk.initializeMemory(as: UInt8.self, repeating: 0xDD)
      chunk.deallocate()
      rest = rest.dropFirst(count)
    }
    return isHealthy
  }

  private func receiveDirectly(_ rest: inout ArraySlice<UInt8>, _ threshold: Int) -> Bool {
    let vectors = UnsafeMutablePointer<IOVector>.allocate(capacity: 3)
    defer { vectors.deallocate() }
    let direct = engine.directReceiveVectors(into: vectors, capacity: 3, minimumByteCount: threshold)
    guard direct.vectorCount > 0 else { return false }
    #expect(direct.byteCount == (0..<direct.vectorCount).reduce(0) { $0 + vectors[$1].count })
    let count = min(rest.count, direct.byteCount, max(1, receiveCut?() ?? Int.max))
    var left = count
    for index in 0..<direct.vectorCount where left > 0 {
      let piece = min(left, vectors[index].count)
      UnsafeMutableRawBufferPointer(start: vectors[index].base, count: piece).copyBytes(from: rest.prefix(piece))
      rest = rest.dropFirst(piece)
      left -= piece
    }
    engine.didReceiveDirectly(byteCount: count)
    return true
  }

  func takeCompletions() {
    while let completion = engine.popCompletion() { completions.append(completion) }
  }

  /// The termination request that the host has sent; nil when it has sent none.
  var termination: TerminationRequest? {
    for case .termination(let request, _) in controller.received { return request }
    return nil
  }

  /// The data that the host has sent for R2Ts, put together.
  func transferred(_ identifier: UInt16, byteCount: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    for case .data(let header, let data) in controller.received where header.commandIdentifier == identifier {
      bytes.replaceSubrange(Int(header.dataOffset)..<Int(header.dataOffset) + data.count, with: data)
    }
    return bytes
  }
}

/// The CRC32C of `bytes`.
func crc32c(_ bytes: [UInt8]) -> UInt32 {
  digest(bytes).enumerated().reduce(0) { $0 | UInt32($1.element) << (8 * UInt32($1.offset)) }
}
