internal import BlockDevice

extension World {
  func checkQuiet() throws(Violation) {
    for path in paths.indices {
      let recovery = paths[path].recovery
      switch recovery.state {
      case .enabled, .deleted: break
      default:
        // An attempt that failed just before all was healed may have ended it for good.
        if recovery.state == .failed && recovery.failure != nil { break }
        throw violation("path \(path) is \(recovery.state) (\(recovery.association)) long after all is well")
      }
      if recovery.state == .enabled && paths[path].probation.isOn {
        throw violation("path \(path) is on probation long after all is well")
      }
      if engine.selector.outstandingCount(of: path) != 0 {
        throw violation("path \(path) has lost count of its requests")
      }
    }
    if let index = requests.firstIndex(where: { $0.isOpen }) { throw violation("request \(index) has never ended") }
    if engine.heldCount != 0 { throw violation("\(engine.heldCount) requests are held for ever") }
    if !busyBlocks.isEmpty { throw violation("blocks \(busyBlocks) are still in use") }
  }

  /// I/O flows again: each block is read, written, and read.
  func finalCheck() throws(Violation) {
    let isUsable = paths.contains { $0.recovery.state == .enabled }
    for isWrite in [false, true, false] {
      for block in 0..<Self.blockCount {
        if isWrite { nextValue += 1 }
        let before = report.successCount
        try begin(0, Request(isWrite: isWrite, block: block, value: isWrite ? nextValue : 0, issued: now))
        try play(until: now + 2000 * Self.millisecond)
        if requests[0].isOpen { throw violation("I/O does not flow again") }
        if isUsable && report.successCount == before { throw violation("I/O fails long after all is well") }
      }
    }
  }
}
