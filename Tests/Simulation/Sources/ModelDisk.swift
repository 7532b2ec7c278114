/// The content of the simulated namespace, and what a reader may find in it.
struct ModelDisk {
  /// A write that failed with unknown outcome: it may be executed until its controller has noticed the loss.
  private struct Ghost {
    var value: UInt64
    var untilNanoseconds: UInt64
  }

  private(set) var values: [UInt64]
  private var possible: [Set<UInt64>]
  private var ghosts: [[Ghost]]

  init(blockCount: Int) {
    values = Array(repeating: 0, count: blockCount)
    possible = Array(repeating: [0], count: blockCount)
    ghosts = Array(repeating: [], count: blockCount)
  }

  mutating func execute(_ value: UInt64, at block: Int) { values[block] = value }

  /// A write has been acknowledged: from now on nothing else is read, unless an older one can still overtake it.
  mutating func acknowledged(_ value: UInt64, at block: Int, issuedNanoseconds: UInt64) {
    ghosts[block].removeAll { $0.untilNanoseconds <= issuedNanoseconds }
    possible[block] = Set([value]).union(ghosts[block].map(\.value))
  }

  /// A write has failed, and may or may not have been executed; until then it still may.
  mutating func failed(_ value: UInt64, at block: Int, untilNanoseconds: UInt64) {
    possible[block].insert(value)
    ghosts[block].append(Ghost(value: value, untilNanoseconds: untilNanoseconds))
  }

  func mayRead(_ value: UInt64, at block: Int) -> Bool { possible[block].contains(value) }
  func expectation(at block: Int) -> [UInt64] { possible[block].sorted() }
}
