/// Lets one at a time in, by key, first come first served. To be kept in an actor.
struct SerialLanes {
  private struct Waiting {
    var ticket: UInt64
    var continuation: UnsafeContinuation<Bool, Never>
  }

  /// There is an entry while somebody is in.
  private var waiting: [String: [Waiting]] = [:]
  private var nextTicket: UInt64 = 0

  /// Takes the lane if it is free; else the continuation is resumed, with true, when it is the caller's.
  ///
  /// - Returns: what ``giveUp(_:_:)`` needs; nil where there is nothing to wait for.
  mutating func enter(_ key: String, _ continuation: UnsafeContinuation<Bool, Never>) -> UInt64? {
    guard waiting[key] != nil else {
      waiting[key] = []
      continuation.resume(returning: true)
      return nil
    }
    nextTicket += 1
    waiting[key]?.append(Waiting(ticket: nextTicket, continuation: continuation))
    return nextTicket
  }

  /// Who still waits does so no longer: the continuation is resumed with false.
  mutating func giveUp(_ key: String, _ ticket: UInt64) {
    guard let place = waiting[key]?.firstIndex(where: { $0.ticket == ticket }) else { return }
    waiting[key]?.remove(at: place).continuation.resume(returning: false)
  }

  mutating func leave(_ key: String) {
    if waiting[key]?.isEmpty == false {
      waiting[key]?.removeFirst().continuation.resume(returning: true)
    } else {
      waiting[key] = nil
    }
  }
}
