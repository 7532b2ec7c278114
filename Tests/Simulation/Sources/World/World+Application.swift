internal import BlockDevice

extension World {
  func issue() throws(Violation) {
    if !isHealing { queue.schedule(.issue, in: milliseconds(0...30)) }
    try issueOne()
  }

  func issueOne() throws(Violation) {
    guard let index = requests.firstIndex(where: { !$0.isOpen }) else { return }
    let free = (0..<Self.blockCount).filter { !busyBlocks.contains($0) }
    guard let block = free.randomElement(using: &random) else { return }
    let isWrite = chance(0.6)
    if isWrite { nextValue += 1 }
    try begin(index, Request(isWrite: isWrite, block: block, value: isWrite ? nextValue : 0, issued: now))
  }

  func begin(_ index: Int, _ request: Request) throws(Violation) {
    requests[index] = request
    requests[index].isOpen = true
    busyBlocks.insert(request.block)
    report.requestCount += 1
    try carryOut(engine.admit(index, isModifying: request.isWrite, nowNanoseconds: now), index)
    keepEngineTime()
  }

  func end(_ index: Int, _ outcome: BlockOutcome, readValue: UInt64) throws(Violation) {
    let request = requests[index]
    guard request.isOpen else { throw violation("request \(index) has ended twice") }
    requests[index].isOpen = false
    busyBlocks.remove(request.block)
    switch outcome {
    case .success:
      report.successCount += 1
      if request.isWrite {
        disk.acknowledged(request.value, at: request.block, issuedNanoseconds: request.issued)
      } else if !disk.mayRead(readValue, at: request.block) {
        throw violation(
          "block \(request.block) reads \(readValue), which can only be one of \(disk.expectation(at: request.block))")
      }
    case .notSent:
      // Certain: it is an error if it is ever read.
      break
    default:
      if outcome == .connectionLost { report.unknownCount += 1 }
      if request.isWrite {
        disk.failed(request.value, at: request.block, untilNanoseconds: max(lateUntil, now))
      }
    }
  }
}
