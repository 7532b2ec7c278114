internal import BlockDevice
internal import BlockExport
internal import Logging
internal import NBDProtocol
internal import NVMeProtocol
internal import RingReactor
internal import TLS

/// Up to transmission: options, TLS, the export.
extension NBDConnection {
  /// Passes on what has been received while there is no engine.
  @inline(never) func negotiate() {
    // One option at a time: what is behind it waits until its answers have been fetched.
    guard st.pointee.output.isEmpty else { return block() }
    let (count, outcome) = st.pointee.negotiation.receive(
      UnsafeRawBufferPointer(start: input + st.pointee.inputStart, count: st.pointee.inputEnd - st.pointee.inputStart))
    st.pointee.inputStart += count
    if let refusal = st.pointee.negotiation.takeRefusal() {
      tell(.debug, "an option is refused", ["option": "\(refusal.option.rawValue)", "reason": "\(refusal.reason)"])
    }
    switch outcome {
    case .open:
      takeNegotiationOutput()
      if st.pointee.inputStart < st.pointee.inputEnd {
        block()
        if st.pointee.output.isEmpty { markReady() }
      } else {
        receiveMore()
      }
    case .transmission(let session):
      guard begin(session) else { return close("the export is gone, or has no room here") }
      tell(
        .info, "a client uses an export",
        ["export": "\(NBDClientLog.shortened(session.export.name))", "replies": "\(session.style)"])
      takeNegotiationOutput()
      takeInput()
    case .startTLS:
      takeNegotiationOutput()
      st.pointee.isTLSWanted = true
      block()
    case .disconnect(let reason):
      takeNegotiationOutput()
      beginDraining(reason)
      endDraining()
    }
  }

  /// What has come behind the request for TLS goes to TLS, which has no use for options in the clear: nobody can slip one
  /// in before the handshake. The time for negotiation is the handshake's, too.
  private func beginTLS() {
    st.pointee.isTLSWanted = false
    guard let context = server.security.context else { return close("TLS is no longer configured") }
    st.pointee.stream.beginTLS(
      context,
      received: UnsafeRawBufferPointer(
        start: input + st.pointee.inputStart, count: st.pointee.inputEnd - st.pointee.inputStart))
    st.pointee.negotiation.becameSecure()
    receiveMore()
  }

  /// Takes what negotiation wants to be sent; it goes out in this turn.
  func takeNegotiationOutput() {
    let bytes = st.pointee.negotiation.takeOutput()
    guard !bytes.isEmpty else { return }
    st.pointee.output = .allocate(byteCount: bytes.count, alignment: 8)
    st.pointee.output.copyBytes(from: bytes)
    st.pointee.outputPosition = 0
    becomeDirty()
  }

  /// As ``flush()`` does for replies.
  func sendNegotiationOutput() {
    guard !st.pointee.output.isEmpty else { return }
    let position = st.pointee.outputPosition
    sendVector.pointee = IOVector(
      base: st.pointee.output.baseAddress! + position, count: st.pointee.output.count - position)
    st.pointee.stream.send(vectors: sendVector, count: 1, source: self)
  }

  /// Once all of it is sent, what has waited for that goes on.
  func negotiationOutputSent(_ count: Int) {
    st.pointee.outputPosition += count
    if st.pointee.outputPosition < st.pointee.output.count { return becomeDirty() }
    st.pointee.output.deallocate()
    st.pointee.output = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    if let engine = st.pointee.engine {
      if engine.pointee.wantsToSend { becomeDirty() }
      lookForEnd(engine)
    } else if st.pointee.isTLSWanted {
      beginTLS()
    } else if st.pointee.isDraining {
      endDraining()
    } else if st.pointee.isBlocked {
      takeInput()
    }
  }

  /// Opens the channel that the session's requests go to. False when the export is gone or cannot be used here.
  private func begin(_ session: NBDSession) -> Bool {
    // Another one may have taken the name since the client was told of its export.
    guard let export = server.exports[session.export.name], NBDExportLimits(export.limits) == session.export.limits
    else { return false }
    let limit = server.configuration.transmission.requestLimit
    let channel: BlockChannel
    do throws(BlockRefusal) {
      channel = try export.device.openChannel(on: reactor, queueDepth: limit)
    } catch { return false }
    nonisolated(unsafe) weak let connection = self
    let handle = reactor.handle
    guard
      let attachment = export.attach(
        ExportClient(backEnd: "NBD", peer: peer),
        observer: { event in handle.post { _ in connection?.exportChanged(event) } })
    else {
      channel.close()
      return false
    }
    self.export = export
    self.attachment = attachment
    channelReference = .passRetained(channel)
    channel.setObserver(self)
    let engine = UnsafeMutablePointer<NBDTransmission>.allocate(capacity: 1)
    engine.initialize(
      to: NBDTransmission(
        session: session, configuration: server.configuration.transmission, pool: worker.share.pool,
        client: Unmanaged.passUnretained(self).toOpaque()))
    st.pointee.engine = engine
    st.pointee.blockShift = UInt64(session.export.limits.minimumBlockByteCount.trailingZeroBitCount)
    take(export.limits)
    reactor.setDeadline(nil, of: self)
    return true
  }

  /// What requests are held against from here on.
  func take(_ limits: ExportLimits) {
    st.pointee.engine?.pointee.limits = NBDExportLimits(limits)
    st.pointee.hasVolatileWriteCache = limits.capabilities.contains(.volatileWriteCache)
    st.pointee.hasForceUnitAccess = limits.capabilities.contains(.forceUnitAccess)
  }
}
