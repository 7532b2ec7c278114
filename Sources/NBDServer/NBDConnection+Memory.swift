internal import BlockDevice
internal import BlockExport
internal import Logging
internal import NBDProtocol
internal import RingReactor

/// Memory that clients share.
extension NBDConnection {
  /// To be called when memory may have been given back, or asked for in vain.
  @inline(__always) func lookAfterWaiters(_ engine: UnsafeMutablePointer<NBDTransmission>) {
    if engine.pointee.hasWaiters { waitersAreThere() }
  }

  /// The same, when all has been tried again that waits for memory.
  @inline(__always) func endTurn(_ engine: UnsafeMutablePointer<NBDTransmission>) {
    if engine.pointee.hasWaiters { turnEnded() }
  }

  @inline(never) private func turnEnded() {
    worker.share.pool.endTurn(of: Unmanaged.passUnretained(self).toOpaque())
    waitersAreThere()
  }

  @inline(never) private func waitersAreThere() {
    worker.share.passTurn()
    guard st.pointee.lookNanoseconds == .max, !st.pointee.isLingering, !st.pointee.isClosing else { return }
    st.pointee.lookNanoseconds = reactor.nowNanoseconds + lookPeriodNanoseconds
    setNextDeadline()
  }

  /// Three looks in a row are the whole time.
  private var lookPeriodNanoseconds: UInt64 {
    UInt64(server.configuration.borrowingTimeoutMilliseconds) * 500_000
  }

  /// Somebody waited when this connection last had to do with memory.
  func timeToLook() {
    st.pointee.lookNanoseconds = .max
    guard worker.share.pool.hasWaiters else { return }
    worker.share.lookForIdleBorrowers(reactor.nowNanoseconds, period: lookPeriodNanoseconds)
    // Until nobody waits.
    if worker.share.pool.hasWaiters { waitersAreThere() }
  }

  /// Whether it keeps memory that it does not use.
  ///
  /// - Parameter isFirst: the look before this one was too long ago.
  func isIdleBorrower(isFirst: Bool) -> Bool {
    guard let engine = st.pointee.engine else { return false }
    if isFirst { st.pointee.watch.forget() }
    return st.pointee.watch.look(
      borrowedByteCount: engine.pointee.borrowedByteCount, isDeviceBusy: engine.pointee.outstandingCount > 0,
      movedByteCount: st.pointee.receivedByteCount &+ st.pointee.sentByteCount)
  }

  func closeAsIdleBorrower() {
    guard !st.pointee.isClosing else { return }
    tell(
      .warning, "a client is cut off: others wait for memory that it does not use",
      [
        "export": "\(NBDClientLog.shortened(export?.name ?? ""))",
        "bytes": "\(st.pointee.engine?.pointee.borrowedByteCount ?? 0)",
      ])
    close("others wait for memory that it does not use")
  }
}
