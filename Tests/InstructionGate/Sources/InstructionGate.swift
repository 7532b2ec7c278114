import Glibc

/// Does I/O against a controller in memory, for callgrind to count its instructions. See `Tests/InstructionGate/run`.
///
/// With `--time` it looks at the clock instead, for what several paths cost: see `Benchmarks/multipath`.
///
/// No task, no second thread, no socket: what is left is the same to the instruction in every run.
@main struct InstructionGate {
  static let roundCount = 10
  /// Enough that every symbol has been bound, every array has grown, and command identifiers have gone round.
  static let warmUpRoundCount = 3

  static func main() {
    do {
      if CommandLine.arguments.contains("--time") { return try PathTimes.show() }
      for item in LoadCase.all {
        let load = try item.makeLoad()
        // A window too, because callgrind counts calls at all times, and goes back to zero when it writes.
        try countedRounds(load, count: warmUpRoundCount)
        try load.verify()
        // One line a case, in their order: the counts that callgrind writes have no names.
        print("case\t\(roundCount * LoadShape.depth)\t\(item.name)")
        try countedRounds(load, count: roundCount)
      }
    } catch {
      print("instructions: \(error)")
      exit(1)
    }
  }
}
