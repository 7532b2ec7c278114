import BlockDevice
import Glibc
import Simulation

@main struct Simulate {
  private static let usage = """
    usage: simulate FIRST-SEED COUNT [planted] [engine|wire] [verbose]

    Plays so many seeds in the worlds of decisions, and half as many in the worlds of bytes, which take longer; prints the
    seeds that fail, and exits with 1 when there are any.

      planted   plants each mistake there is, and prints the first seed that finds it; fails when none does
      engine    only the worlds of decisions
      wire      only the worlds of bytes, all of the seeds
      verbose   prints what happens in the worlds of bytes

    simulate 0 2000                 what CI plays
    simulate 194 1 wire verbose     one seed, looked into
    """

  static func main() {
    let arguments = CommandLine.arguments.dropFirst()
    let numbers = arguments.compactMap { UInt64($0) }
    let words = Set(arguments.filter { UInt64($0) == nil })
    guard numbers.count == 2, numbers[1] > 0, !numbers[0].addingReportingOverflow(numbers[1]).overflow,
      words.isSubset(of: ["planted", "engine", "wire", "verbose"]), !words.isSuperset(of: ["engine", "wire"])
    else {
      print(usage)
      exit(2)
    }
    let seeds = numbers[0]..<numbers[0] + numbers[1]
    let isPlanted = words.contains("planted")
    let wireSeeds = isPlanted || words.contains("wire") ? seeds : seeds.prefix(Int((numbers[1] + 1) / 2))
    var isGood = true
    if !words.contains("wire") { isGood = (isPlanted ? plantEngine(seeds) : playEngine(seeds)) && isGood }
    if !words.contains("engine") {
      isGood = (isPlanted ? plantWire(wireSeeds) : playWire(wireSeeds, words.contains("verbose"))) && isGood
    }
    exit(isGood ? 0 : 1)
  }

  private static func playEngine(_ seeds: Range<UInt64>) -> Bool {
    var total = SimulationReport()
    var failureCount = 0
    var progress = SeedProgress(kind: "engine", count: seeds.count)
    for seed in seeds {
      do throws(Violation) {
        total = total + (try World(seed: seed).run())
      } catch {
        failureCount += 1
        progress.end()
        print("FAILED: engine, \(error)")
      }
      progress.advance(failureCount: failureCount)
    }
    progress.end()
    print(
      "engine: \(seeds.count) seeds, \(failureCount) failed; \(total.requestCount) requests, \(total.successCount) "
        + "succeeded, \(total.unknownCount) of unknown outcome; \(total.lossCount) losses, \(total.reconnectCount) "
        + "reconnects, \(total.statistics.failoverCount) failovers, \(total.statistics.fenceCount) fences, "
        + "\(total.lateExecutionCount) late executions, \(total.unansweredCount) losses for unanswered I/O, "
        + "\(total.answeredProbeCount) probations ended")
    return failureCount == 0
  }

  private static func playWire(_ seeds: Range<UInt64>, _ isVerbose: Bool) -> Bool {
    var total = SimulationReport()
    var failureCount = 0
    var progress = SeedProgress(kind: "wire", count: seeds.count)
    for seed in seeds {
      do throws(Violation) {
        total = total + (try WireWorld(seed: seed, isVerbose: isVerbose).run())
      } catch {
        failureCount += 1
        progress.end()
        print("FAILED: wire, \(error)")
      }
      progress.advance(failureCount: failureCount)
    }
    progress.end()
    print(
      "wire: \(seeds.count) seeds, \(failureCount) failed; \(total.requestCount) requests, \(total.successCount) "
        + "succeeded, \(total.unknownCount) of unknown outcome; \(total.connectionCount) connections, "
        + "\(total.lossCount) losses, \(total.reconnectCount) reconnects, \(total.statistics.failoverCount) failovers, "
        + "\(total.statistics.retryCount) retries, \(total.statistics.fenceCount) fences, \(total.lateExecutionCount) late executions, "
        + "\(total.duplicateCount) duplicate answers, \(total.corruptionCount) bits changed; "
        + "\(total.halfDeadCount) worlds with a path that does no I/O, \(total.stalledCount) requests waited for it")
    return failureCount == 0
  }

  private static func plantEngine(_ seeds: Range<UInt64>) -> Bool {
    let found = PlantedBug.allCases.map { bug in
      find("engine: \(bug)", in: seeds) { (seed) throws(Violation) in _ = try World(seed: seed, bug: bug).run() }
    }
    return found.allSatisfy { $0 }
  }

  private static func plantWire(_ seeds: Range<UInt64>) -> Bool {
    let found = PlantedWireBug.allCases.map { bug in
      find("wire: \(bug)", in: seeds) { (seed) throws(Violation) in _ = try WireWorld(seed: seed, bug: bug).run() }
    }
    return found.allSatisfy { $0 }
  }

  private static func find(
    _ name: String, in seeds: Range<UInt64>, _ play: (UInt64) throws(Violation) -> Void
  ) -> Bool {
    for seed in seeds {
      do throws(Violation) { try play(seed) } catch {
        print("\(name): found by \(error)")
        return true
      }
    }
    print("\(name): NOT FOUND")
    return false
  }
}
