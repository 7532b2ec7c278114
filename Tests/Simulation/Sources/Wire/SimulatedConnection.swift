internal import RingReactor

/// A TCP connection as both ends see it: bytes come in order, in any pieces, at any time or never, and it may break at any
/// byte. What the host has handed over may still arrive after it has closed its end.
final class SimulatedConnection {
  private let network: SimulatedNetwork
  private let timeline: Timeline
  private(set) var target: SimulatedTarget?
  /// The controller's end; nil before it is there, and when it has gone without a word.
  private(set) var queue: SimulatedTargetQueue?

  // The host's end.
  private var connecting: HostOperation?
  private var receiving: HostOperation?
  private var sending: HostOperation?
  private var arrived: ArraySlice<UInt8> = []
  private var hasArrivedEnd = false
  private var isEstablished = false
  private var isBroken = false
  private var isHostClosed = false
  /// The host's kernel sends nothing again once the host has closed its end.
  private var discardsUnsent = false
  /// The host has been told that all has been sent before it has: for ``PlantedWireBug``.
  private var isSendTold = false
  /// Stands in for memory that the initiator may free: for ``PlantedWireBug``.
  private var shadows: [UnsafeMutableRawBufferPointer] = []

  // The network.
  private var outbound = BytePipe()
  private var inbound = BytePipe()
  private let chunkByteCounts: ClosedRange<Int>
  private let windowByteCount: Int
  /// What a chunk takes where nothing is wrong.
  private let usualMicroseconds: Int
  /// Bytes of it have been changed on the way.
  private(set) var isCorrupted = false

  private static let longestResendMilliseconds: UInt64 = 60_000
  private static let connectionReset: Int32 = -104
  private static let brokenPipe: Int32 = -32
  private static let cancelled: Int32 = -125

  init(network: SimulatedNetwork) {
    self.network = network
    timeline = network.timeline
    chunkByteCounts = timeline.pick([
      1...40, 1...600, 1...600, 1...1460, 100...1460, 1...16_384, 1460...65_536, 4096...65_536,
    ])
    // A kernel that is slow to read what it sends.
    windowByteCount = network.bug == .sendMemoryReleasedEarly ? 300 : timeline.pick([300, 2000, 16_384, 65_536])
    // Slow ones carry enough at a time for every command to end in time.
    let isSlow = chunkByteCounts.upperBound > 10_000 && windowByteCount > 10_000
    usualMicroseconds = isSlow ? timeline.pick([60, 1000, 6000]) : timeline.pick([20, 60])
  }

  deinit { for shadow in shadows { shadow.deallocate() } }

  /// Takes copies of everything but the application's memory.
  private func shadowing(_ operation: HostOperation) -> HostOperation {
    var operation = operation
    operation.replacePieces { piece in
      if network.isApplicationMemory(piece) { return piece }
      let shadow = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count, alignment: 8)
      shadow.copyMemory(from: UnsafeRawBufferPointer(piece))
      shadows.append(shadow)
      return shadow
    }
    return operation
  }

  private func end(_ operation: HostOperation, _ result: Int32) {
    operation.ring.complete(operation.operation, result: result)
    timeline.note(UInt64(bitPattern: Int64(result)))
    network.hasNews = true
  }

  // MARK: The host's operations

  func connect(_ operation: HostOperation, to target: SimulatedTarget) {
    self.target = target
    connecting = operation
    target.connections.append(self)
    timeline.after(delay) { [self] in finishConnect() }
  }

  /// Also when a network that was silent is there again.
  func finishConnect() {
    guard let operation = connecting, let target, !target.faults.isPartitioned else { return }
    connecting = nil
    if target.faults.refusesConnections {
      isBroken = true
      end(operation, -111)
      return
    }
    isEstablished = true
    queue = SimulatedTargetQueue(connection: self, target: target)
    end(operation, 0)
  }

  func receive(_ operation: HostOperation) {
    if receiving != nil { timeline.violate("two receives on one connection") }
    receiving = operation
    deliverArrived()
  }

  func send(_ operation: HostOperation) {
    if var late = sending {
      if !isSendTold { timeline.violate("two sends on one connection") }
      outbound.append(late.take(late.byteCount - late.position, network: network))
      sending = nil
    }
    isSendTold = false
    if isBroken {
      end(operation, timeline.chance(0.5) ? Self.brokenPipe : Self.connectionReset)
      return
    }
    sending = network.bug == .sendMemoryReleasedEarly ? shadowing(operation) : operation
    fillOutbound()
    if network.bug == .sendMemoryReleasedEarly, sending != nil {
      isSendTold = true
      end(operation, Int32(operation.byteCount))
    }
  }

  /// Without the ring: the memory is read before this returns. What is not taken the host sends by the ring.
  func sendNow(_ pieces: [UnsafeMutableRawBufferPointer]) -> Int32 {
    if sending != nil { timeline.violate("two sends on one connection") }
    if isBroken { return timeline.chance(0.5) ? Self.brokenPipe : Self.connectionReset }
    // Both ways are to be gone in every world; a planted bug is one of the ring's.
    if network.bug != nil || timeline.chance(0.3) { return 0 }
    var rest = pieces[...]
    var count = 0
    while let piece = rest.first, outbound.byteCount < windowByteCount {
      let length = min(piece.count, timeline.number(chunkByteCounts), windowByteCount)
      let taken = UnsafeMutableRawBufferPointer(rebasing: piece[..<length])
      network.touch(taken)
      outbound.append([UInt8](taken))
      count += length
      if length < piece.count { break }
      rest.removeFirst()
    }
    moveOutbound()
    return Int32(count)
  }

  func cancel(_ operation: HostOperation) {
    // What is under way may be given back at once or late, and may have moved bytes until then.
    let time = timeline.chance(0.4) ? 0 : timeline.microseconds(0...timeline.pick([3000, 50_000, 200_000]))
    timeline.after(time) { [self] in
      var count: Int32 = 0
      if let connecting {
        end(connecting, Self.cancelled)
        count += 1
      }
      connecting = nil
      if let sending, !isSendTold {
        end(sending, sending.position > 0 ? Int32(sending.position) : Self.cancelled)
        count += 1
        self.sending = nil
      }
      if receiving != nil, timeline.chance(0.5) {
        while let chunk = inbound.popFirst() { arrived += chunk }
        deliverArrived()
      }
      if let receiving {
        if network.bug == .receiveMemoryReleasedEarly { receiveLate(shadowing(receiving)) }
        if network.bug != .cancelledReceiveForgotten { end(receiving, Self.cancelled) }
        count += 1
      }
      receiving = nil
      end(operation, count)
    }
  }

  /// Receives into memory that the host has been told it has back: for ``PlantedWireBug``.
  private func receiveLate(_ operation: HostOperation) {
    timeline.after(timeline.milliseconds(0...20)) { [network] in
      var operation = operation
      operation.put([UInt8](repeating: 0x5A, count: operation.byteCount)[...], network: network)
    }
  }

  func endSending() {
    outbound.hasEnd = true
    moveOutbound()
  }

  func discardUnsentOnClose() { discardsUnsent = !outbound.isEmpty || sending != nil }

  /// The host is done with it; what it has sent may still arrive.
  func closeHost() {
    if connecting != nil || receiving != nil || sending != nil && !isSendTold {
      timeline.violate("a socket is closed with operations in flight")
    }
    isHostClosed = true
    guard isEstablished, !isBroken, target != nil else { return forget() }
    if discardsUnsent || timeline.chance(0.3) && !isSendTold {
      outbound.bytesUntilReset = timeline.number(0...max(1, outbound.byteCount))
      if outbound.isEmpty { outbound.hasEnd = true }
    } else {
      outbound.hasEnd = true
    }
    moveOutbound()
    // No longer: the kernel gives up sending again, and a peer that is not reached is not told.
    timeline.after(Self.longestResendMilliseconds * Timeline.millisecond) { [self] in
      outbound.removeAll()
      outbound.hasEnd = false
      forget()
    }
  }

  private func forget() { target?.connections.removeAll { $0 === self } }

  // MARK: From the host to the controller

  private func fillOutbound() {
    while var operation = sending, outbound.byteCount < windowByteCount {
      let rest = operation.byteCount - operation.position
      let chunk = operation.take(min(rest, timeline.number(chunkByteCounts), windowByteCount), network: network)
      outbound.append(chunk)
      sending = operation
      if operation.position == operation.byteCount {
        sending = nil
        if !isSendTold { end(operation, Int32(operation.byteCount)) }
      }
    }
    moveOutbound()
  }

  private func moveOutbound() {
    guard !outbound.isScheduled, !outbound.isEmpty || outbound.hasEnd else { return }
    outbound.isScheduled = true
    timeline.after(delay) { [self] in
      outbound.isScheduled = false
      deliverOutbound()
    }
  }

  private func deliverOutbound() {
    guard let target else { return }
    if target.faults.isPartitioned {
      // Sent again when the network is there again.
      if isHostClosed && discardsUnsent { forget() }
      return
    }
    guard let queue else {
      // Nobody there knows of this connection.
      if !isBroken { breakHost() }
      return
    }
    guard var chunk = outbound.popFirst() else {
      if outbound.hasEnd {
        outbound.hasEnd = false
        queue.hostClosed()
      }
      return
    }
    if let left = outbound.bytesUntilReset {
      outbound.bytesUntilReset = left - chunk.count
      if left < chunk.count {
        let prefix = Array(chunk.prefix(left))
        if !prefix.isEmpty { queue.receive(prefix) }
        reset(queue)
        return
      }
    }
    corrupt(&chunk, &outbound, probability: target.faults.corruptionProbability)
    queue.receive(chunk)
    fillOutbound()
  }

  // MARK: From the controller to the host

  func sendToHost(_ bytes: [UInt8]) {
    guard !isBroken, !isHostClosed else { return }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = min(rest.count, timeline.number(chunkByteCounts))
      inbound.append(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
    }
    moveInbound()
  }

  func closeFromController() {
    inbound.hasEnd = true
    queue = nil
    moveInbound()
  }

  private func moveInbound() {
    guard !inbound.isScheduled, !inbound.isEmpty || inbound.hasEnd else { return }
    inbound.isScheduled = true
    timeline.after(delay) { [self] in
      inbound.isScheduled = false
      deliverInbound()
    }
  }

  private func deliverInbound() {
    guard let target, !target.faults.isPartitioned else { return }
    if isHostClosed {
      // A host that has closed the connection answers with a reset.
      queue?.hostClosed()
      return
    }
    guard var chunk = inbound.popFirst() else {
      hasArrivedEnd = inbound.hasEnd
      deliverArrived()
      return
    }
    if let left = inbound.bytesUntilReset {
      inbound.bytesUntilReset = left - chunk.count
      if left < chunk.count {
        arrived += chunk.prefix(left)
        deliverArrived()
        if let queue { reset(queue) } else { breakHost() }
        return
      }
    }
    corrupt(&chunk, &inbound, probability: target.faults.corruptionProbability)
    arrived += chunk
    deliverArrived()
    moveInbound()
  }

  private func deliverArrived() {
    guard var operation = receiving else { return }
    if !arrived.isEmpty {
      let count = min(arrived.count, operation.byteCount)
      operation.put(arrived.prefix(count), network: network)
      arrived = arrived.dropFirst(count)
      receiving = nil
      end(operation, Int32(count))
    } else if isBroken {
      receiving = nil
      end(operation, Self.connectionReset)
    } else if hasArrivedEnd {
      receiving = nil
      end(operation, 0)
    }
  }

  // MARK: The network

  private var delay: UInt64 {
    let usual = timeline.microseconds(2...usualMicroseconds)
    guard let target else { return usual }
    if target.faults.networkDelayMilliseconds > 0, timeline.chance(0.2) {
      return timeline.milliseconds(0...target.faults.networkDelayMilliseconds)
    }
    return timeline.chance(0.01) ? timeline.milliseconds(0...20) : usual
  }

  /// One bit of a chunk, where a digest will show it: ICReq and ICResp have none.
  private func corrupt(_ chunk: inout [UInt8], _ pipe: inout BytePipe, probability: Double) {
    let start = pipe.deliveredByteCount
    pipe.deliveredByteCount += chunk.count
    guard start >= 128, timeline.chance(probability), queue?.hasBothDigests == true else { return }
    chunk[timeline.number(0...chunk.count - 1)] ^= 1 << UInt8(timeline.number(0...7))
    isCorrupted = true
    target?.report.corruptionCount += 1
  }

  /// Breaks the connection when so many more bytes have come through.
  func resetAfter(inboundBytes: Int?, outboundBytes: Int?) {
    inbound.bytesUntilReset = inboundBytes
    outbound.bytesUntilReset = outboundBytes
  }

  /// Breaks it now, for both ends.
  func reset() {
    if let queue { reset(queue) } else { breakHost() }
  }

  /// Breaks it for the host alone: the controller goes on until it misses something.
  func resetHost() {
    queue = nil
    breakHost()
  }

  private func reset(_ queue: SimulatedTargetQueue) {
    self.queue = nil
    breakHost()
    queue.hostClosed()
  }

  /// The controller's end is gone, and says nothing.
  func forgetController() { queue = nil }

  private func breakHost() {
    isBroken = true
    outbound.removeAll()
    inbound.removeAll()
    if isHostClosed { return forget() }
    if let sending, !isSendTold { end(sending, Self.connectionReset) }
    sending = nil
    deliverArrived()
  }

  /// The network is there again.
  func resume() {
    finishConnect()
    moveOutbound()
    moveInbound()
  }
}
