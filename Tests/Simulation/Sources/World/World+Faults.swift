internal import BlockDevice

extension World {
  func fault() throws(Violation) {
    if isHealing { return }
    queue.schedule(.fault, in: milliseconds(1...400))
    let path = Int.random(in: 0..<paths.count, using: &random)
    switch Int.random(in: 0..<24, using: &random) {
    case 0, 1, 2:
      // A reset connection.
      if paths[path].recovery.association == .ready && !paths[path].isLost { try lose(path) }
    case 3, 4:
      // Silence: noticed by a missed keep alive.
      guard paths[path].isReachable else { return }
      paths[path].isReachable = false
      queue.schedule(
        .lossNoticed(path: path, association: paths[path].association),
        in: UInt64(keepAliveMilliseconds) * 3 / 2 * Self.millisecond)
    case 5, 6, 7, 8: paths[path].isReachable = true
    case 9:
      paths[path].anaState =
        [.optimized, .nonOptimized, .inaccessible, .persistentLoss, .change].randomElement(using: &random) ?? .optimized
      queue.schedule(.accessKnown(path: path), in: milliseconds(0...200))
    case 10:
      paths[path].anaState = .optimized
      queue.schedule(.accessKnown(path: path), in: milliseconds(0...200))
    case 11:
      paths[path].hasNamespace.toggle()
      queue.schedule(.accessKnown(path: path), in: milliseconds(0...200))
    case 12:
      paths[path].hasNamespace = true
      queue.schedule(.accessKnown(path: path), in: milliseconds(0...200))
    case 13: paths[path].errorProbability = chance(0.5) ? 0.3 : 0
    case 14, 15: try tell(path, .reset)
    case 16: try tell(path, chance(0.3) ? .disable : .enable)
    case 17: paths[path].refusesForGood = chance(0.3)
    case 18: if chance(0.05) { try tell(path, .delete) }
    case 19:
      paths[path].ignoresWrites = true
      paths[path].ignoresReads = chance(0.5)
    case 20, 21, 22: paths[path].answersIO()
    default: try tell(path, .enable)
    }
  }

  /// All faults end, and whoever has given up is asked to try again.
  func heal() throws(Violation) {
    isHealing = true
    for path in paths.indices {
      paths[path].heal()
      queue.schedule(.accessKnown(path: path), in: milliseconds(0...100))
      // What was on the wire of a silent network is gone: the loss is noticed.
      if paths[path].recovery.association == .ready {
        let hasStuck = commands.contains {
          $0.path == path && $0.association == paths[path].association && !$0.hasEnded
        }
        if hasStuck { try lose(path) }
      }
      try tell(path, .enable)
    }
  }
}
