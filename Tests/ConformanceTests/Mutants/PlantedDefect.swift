import Synchronization

/// What is wrong with a mutant, which may remember what it has seen; all connections to it pass through the same one.
final class PlantedDefect: Sendable {
  private let defect: Mutex<Mutant.Defect>
  private let connectionCount = Atomic(0)

  init(_ mutant: Mutant) { defect = Mutex(mutant.plant()) }

  /// The number of a new connection, the first is 1.
  func nextConnection() -> Int { connectionCount.add(1, ordering: .relaxed).newValue }

  func pass(_ passage: inout Passage) {
    var passing = passage
    defect.withLock { $0(&passing) }
    passage = passing
  }
}
