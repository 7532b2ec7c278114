internal import BlockDevice
internal import BlockExport
internal import Logging
internal import NBDProtocol
internal import RingReactor
internal import Synchronization
internal import TLS

/// How it ends: by the client, the export, the server, or by force.
extension NBDConnection {
  /// Whether there is a reason to end, or the end has been reached: after all that may have brought it.
  func lookForEnd(_ engine: UnsafeMutablePointer<NBDTransmission>) {
    if channelReference?._withUnsafeGuaranteedRef({ $0.isClosed }) == true, !st.pointee.isClosing,
      !st.pointee.isDraining
    {
      deviceGone()
    }
    guard st.pointee.isDraining, !st.pointee.isLingering else { return }
    if engine.pointee.hasNothingToDo { endDraining() }
    setDrainDeadline()
  }

  /// The channel has ended by itself: so have the device and all that is exported of it.
  @inline(never) private func deviceGone() {
    drain(.deviceGone)
    export?.end(.deviceGone)
  }

  /// The client has said goodbye, or something that nobody understands.
  @inline(never) func requestsEnded(_ engine: UnsafeMutablePointer<NBDTransmission>) {
    switch engine.pointee.state {
    case .open: break
    case .disconnecting: beginDraining("the client has disconnected")
    case .violated(let violation): close(violation.rawValue)
    }
  }

  /// The observer of the export, on this reactor.
  func exportChanged(_ event: ExportEvent) {
    guard !st.pointee.isClosing else { return }
    switch event {
    // The export's own: what is told comes from several threads, the older perhaps behind the newer.
    case .limitsChanged: if let export { take(export.limits) }
    case .ended(let reason): drain(reason)
    }
  }

  /// Answers what is outstanding, refuses what comes, and closes.
  func drain(_ reason: ExportEndReason) {
    guard !st.pointee.isClosing else { return }
    let text = reason == .shutdown ? "the server shuts down" : "the export has ended: \(reason)"
    st.pointee.endNanoseconds = min(st.pointee.endNanoseconds, after(server.configuration.endTimeoutMilliseconds))
    if st.pointee.isLingering { return }
    guard let engine = st.pointee.engine else { return close(text) }
    engine.pointee.rejection = reason == .deviceGone ? .deviceGone : .shutdown
    beginDraining(text)
    // One that drains for its client's sake has less time now.
    setDrainDeadline()
    // What has been received already is still answered.
    if st.pointee.inputStart < st.pointee.inputEnd {
      st.pointee.inputStart += engine.pointee.receive(
        UnsafeRawBufferPointer(
          start: input + st.pointee.inputStart, count: st.pointee.inputEnd - st.pointee.inputStart))
      if engine.pointee.wantsToSend { becomeDirty() }
    }
  }

  /// Takes no more input; the connection ends when all answers are with the client, or when that takes too long.
  func beginDraining(_ reason: String) {
    // What is looked at again while it drains changes nothing.
    guard !st.pointee.isDraining else { return }
    end = reason
    st.pointee.isDraining = true
    stopPolling()
    setDrainDeadline()
    markReady()
  }

  private func after(_ milliseconds: UInt32) -> UInt64 { reactor.nowNanoseconds + UInt64(milliseconds) * 1_000_000 }

  /// After whatever has moved: the device may take its time, and those who have the memory that is waited for, until the end
  /// is forced; and a client that fetches its answers, too.
  private func setDrainDeadline() {
    guard !st.pointee.isClosing, !st.pointee.isEndForced, !st.pointee.isLingering else { return }
    let engine = st.pointee.engine
    let dependsOnOthers = engine.map { $0.pointee.outstandingCount > 0 || $0.pointee.waitsForMemory } ?? false
    st.pointee.fetchNanoseconds = dependsOnOthers ? .max : after(server.configuration.drainTimeoutMilliseconds)
    setNextDeadline()
  }

  /// When draining has taken too long, for one reason or the other.
  var drainNanoseconds: UInt64 {
    st.pointee.isEndForced ? st.pointee.fetchNanoseconds : min(st.pointee.fetchNanoseconds, st.pointee.endNanoseconds)
  }

  /// The time is over. Requests that have not ended when it is the server's own are answered, as far as the client fetches it.
  func drainingTookTooLong(_ engine: UnsafeMutablePointer<NBDTransmission>) {
    guard st.pointee.endNanoseconds <= reactor.nowNanoseconds, !st.pointee.isEndForced else {
      return close("it took too long to fetch its last answers")
    }
    st.pointee.isEndForced = true
    if engine.pointee.outstandingCount > 0 {
      tell(
        .warning, "a device takes too long: requests are answered without it",
        ["export": "\(NBDClientLog.shortened(export?.name ?? ""))", "requests": "\(engine.pointee.outstandingCount)"])
    }
    engine.pointee.abandonRequests(.shutdown)
    if engine.pointee.wantsToSend { becomeDirty() }
    st.pointee.fetchNanoseconds = after(server.configuration.drainTimeoutMilliseconds)
    markReady()
  }

  /// All requests are answered: says goodbye, and closes once that is with the kernel. The answer to the last option may
  /// still be on its way, when a client disconnects in one piece with it.
  func endDraining() {
    guard st.pointee.output.isEmpty, st.pointee.stream.hasNothingToSend, !st.pointee.isLingering else { return }
    st.pointee.stream.endSending(source: self)
    guard st.pointee.stream.hasNothingToSend else { return }
    let byteCount = st.pointee.stream.unacknowledgedByteCount
    if byteCount == 0 { close("") } else { linger(byteCount) }
  }

  /// What the client sends now must not cost it the answers that it has not fetched: it is received and dropped, until its
  /// system has them all, or it has closed its side, too.
  @inline(never) private func linger(_ byteCount: Int) {
    st.pointee.isLingering = true
    st.pointee.isBlocked = false
    st.pointee.isReceiveWanted = false
    st.pointee.stream.closeSending()
    st.pointee.unacknowledgedByteCount = byteCount
    st.pointee.lingerEndNanoseconds = after(server.configuration.drainTimeoutMilliseconds)
    receiveToDrop()
    setLingerDeadline()
  }

  /// Nobody is told when something is acknowledged: it is looked for now and then.
  private func setLingerDeadline() {
    reactor.setDeadline(min(st.pointee.lingerEndNanoseconds, after(20)), of: self)
  }

  func lingerOn() {
    let now = reactor.nowNanoseconds
    let byteCount = st.pointee.stream.unacknowledgedByteCount
    if byteCount == 0 { return close("") }
    if byteCount < st.pointee.unacknowledgedByteCount {
      st.pointee.unacknowledgedByteCount = byteCount
      st.pointee.lingerEndNanoseconds = after(server.configuration.drainTimeoutMilliseconds)
    }
    let last = st.pointee.endNanoseconds.addingReportingOverflow(
      UInt64(server.configuration.drainTimeoutMilliseconds) * 1_000_000)
    if now >= st.pointee.lingerEndNanoseconds || !last.overflow && now >= last.partialValue {
      return close("it took too long to fetch its last answers")
    }
    setLingerDeadline()
  }

  /// The stream has ended, in whatever way.
  @inline(never) func clientGone(_ event: SocketEvent) {
    if let failure = st.pointee.stream.failure {
      // A client that goes without close_notify is as usual as one that closes its socket.
      if failure.kind == .truncated { return close("the client has closed the connection") }
      // Somebody's configuration is wrong, or somebody is unwelcome: whoever runs the server is to hear of either.
      tell(.warning, "TLS with a client has failed", ["error": "\(failure)"])
      return close("TLS: \(failure)")
    }
    if case .failed(_, let code) = event { return close("the connection has failed: \(errorText(code))") }
    close("the client has closed the connection")
  }

  /// Closes the socket; the rest follows when nothing is in flight any more.
  ///
  /// - Parameter reason: for the log, unless there was one for the draining before.
  @inline(never) func close(_ reason: String) {
    guard !st.pointee.isClosing else { return }
    st.pointee.isClosing = true
    end = end ?? reason
    stopPolling()
    reactor.setDeadline(nil, of: self)
    st.pointee.engine?.pointee.dropRequests()
    channelReference?._withUnsafeGuaranteedRef { $0.close() }
    if st.pointee.stream.beginClose(source: self) { st.pointee.isSocketClosed = true }
    markReady()
  }

  /// Lets go of everything, once nothing of it is in use.
  func finishIfPossible() {
    guard st.pointee.isClosing, st.pointee.isSocketClosed, (st.pointee.engine?.pointee.outstandingCount ?? 0) == 0,
      !isFinished
    else { return }
    isFinished = true
    channelReference?._withUnsafeGuaranteedRef { $0.setObserver(nil) }
    freeEngine()
    let seconds = (reactor.nowNanoseconds - startNanoseconds) / 1_000_000_000
    tell(
      export == nil ? .debug : .info, "a client has gone",
      [
        "export": "\(NBDClientLog.shortened(export?.name ?? ""))", "reason": "\(end ?? "")",
        "requests": "\(st.pointee.requestCount)", "received_bytes": "\(st.pointee.receivedByteCount)",
        "sent_bytes": "\(st.pointee.sentByteCount)", "seconds": "\(seconds)",
      ])
    export?.detach(attachment)
    server.connectionEnded()
    worker.remove(self)
    retire()
  }

  /// A line of the log, which names the client.
  func tell(_ level: Logger.Level, _ message: Logger.Message, _ metadata: @autoclosure () -> Logger.Metadata) {
    server.log.write(
      level, message, metadata().merging(["client": "\(number)", "peer": "\(peer)"], uniquingKeysWith: { $1 }))
  }
}
