/// Whether a client keeps memory that others wait for, without using it: a judgement over three looks in a row.
///
/// Not over two: at one of them it may have its answer from a slow device that very moment.
struct NBDBorrowerWatch {
  private static let lookCount = 3
  /// Looks in a row at which it had borrowed memory, and the device nothing of its.
  private var idleLookCount = 0
  /// Bytes that it had moved at the first of them.
  private var mark: UInt64 = 0

  /// Takes a look.
  ///
  /// - Parameters:
  ///   - borrowedByteCount: what it has borrowed.
  ///   - isDeviceBusy: whether the device has a request of its.
  ///   - movedByteCount: what it has sent and fetched up to now.
  /// - Returns: whether it is to go: since the look before the last it has moved fewer bytes than it has borrowed.
  mutating func look(borrowedByteCount: Int, isDeviceBusy: Bool, movedByteCount: UInt64) -> Bool {
    let isIdle =
      borrowedByteCount > 0 && !isDeviceBusy
      && (idleLookCount == 0 || movedByteCount &- mark < UInt64(borrowedByteCount))
    guard isIdle else {
      idleLookCount = 0
      return false
    }
    if idleLookCount == 0 { mark = movedByteCount }
    idleLookCount += 1
    return idleLookCount == Self.lookCount
  }

  /// Looks from before say nothing about these days.
  mutating func forget() { idleLookCount = 0 }
}
