internal import NVMeProtocol

/// Supervision: what is looked for by going over the table of slots, now and then, so that commands need not be
/// watched one by one.
extension HostQueuePair {
  /// Commands whose deadline has passed; looked for by going over the table, so not for every turn.
  public func expiredCommandCount(nowNanoseconds: UInt64) -> Int {
    var count = 0
    for index in 0..<configuration.depth
    where slots[index].phase != .free && slots[index].deadlineNanoseconds <= nowNanoseconds {
      count += 1
    }
    return count
  }

  /// A command whose deadline has passed for the first time; its deadline moves by `extension`, and it is not handed out
  /// again. Deadlines are even; one that has been moved is odd.
  public mutating func takeExpiredCommand(nowNanoseconds: UInt64, extendingNanoseconds extension: UInt64) -> UInt16? {
    for index in 0..<configuration.depth
    where slots[index].phase == .outstanding && slots[index].deadlineNanoseconds <= nowNanoseconds
      && slots[index].deadlineNanoseconds & 1 == 0
    {
      slots[index].deadlineNanoseconds = nowNanoseconds &+ `extension` | 1
      return slots[index].command.commandIdentifier
    }
    return nil
  }

  /// Whether a command that was submitted since this was last asked has also been answered since. Looked for by going over the
  /// table, whose generations tell, so that commands need not be counted.
  public mutating func takeTraffic() -> Bool {
    var hasTraffic = false
    for index in 0..<trafficGenerations.count {
      let difference = slots[index].generation &- trafficGenerations[index]
      if difference != 0 && difference != .max { hasTraffic = true }
    }
    if trafficGenerations.isEmpty { trafficGenerations = Array(repeating: 0, count: configuration.depth) }
    for index in 0..<configuration.depth {
      // A command that is outstanding now ends without being traffic: the next one is.
      trafficGenerations[index] = slots[index].generation &+ (slots[index].phase == .free ? 0 : 1)
    }
    return hasTraffic
  }
}
