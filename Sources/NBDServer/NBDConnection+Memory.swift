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
    st.pointee.lookNanoseconds = reactor.nowNanoseconds + borrowingNanoseconds
    setNextDeadline()
  }

  private var borrowingNanoseconds: UInt64 {
    UInt64(server.configuration.borrowingTimeoutMilliseconds) * 1_000_000
  }

  /// Somebody waited when this connection last had to do with memory.
  func timeToLook() {
    st.pointee.lookNanoseconds = .max
    guard worker.share.pool.hasWaiters else { return }
    worker.share.lookForIdleBorrowers(reactor.nowNanoseconds, period: borrowingNanoseconds)
    // Until nobody waits.
    if worker.share.pool.hasWaiters { waitersAreThere() }
  }

  /// Whether it has borrowed memory and, since the last call, has moved fewer bytes than that, and not for the device's sake.
  func moveMark() -> Bool {
    let moved = st.pointee.receivedByteCount &+ st.pointee.sentByteCount
    defer { st.pointee.mark = moved }
    guard let engine = st.pointee.engine, engine.pointee.borrowedByteCount > 0 else { return false }
    return engine.pointee.outstandingCount == 0 && moved &- st.pointee.mark < UInt64(engine.pointee.borrowedByteCount)
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
