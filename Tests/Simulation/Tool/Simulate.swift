import BlockDevice
import Glibc
import Simulation

/// `simulate FIRST COUNT`: plays seeds and prints those that fail. `simulate FIRST COUNT planted`: plants each bug and prints
/// the first seed that finds it.
@main struct Simulate {
  static func main() {
    let arguments = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
    guard arguments.count == 2 else {
      print("usage: simulate FIRST-SEED COUNT [planted]")
      exit(2)
    }
    if CommandLine.arguments.last == "planted" { plant(arguments[0]..<arguments[0] + arguments[1]) }
    var total = SimulationReport()
    var failureCount = 0
    for seed in arguments[0]..<arguments[0] + arguments[1] {
      do throws(Violation) {
        total = total + (try World(seed: seed).run())
      } catch {
        failureCount += 1
        print("FAILED: \(error)")
      }
    }
    print(
      "\(arguments[1]) seeds, \(failureCount) failed; \(total.requestCount) requests, \(total.successCount) succeeded, "
        + "\(total.unknownCount) of unknown outcome; \(total.lossCount) losses, \(total.reconnectCount) reconnects, "
        + "\(total.statistics.failoverCount) failovers, \(total.statistics.fenceCount) fences, "
        + "\(total.lateExecutionCount) late executions")
    exit(failureCount > 0 ? 1 : 0)
  }

  private static func plant(_ seeds: Range<UInt64>) -> Never {
    var missedCount = 0
    for bug in PlantedBug.allCases {
      var found: Violation?
      for seed in seeds where found == nil {
        do throws(Violation) { _ = try World(seed: seed, bug: bug).run() } catch { found = error }
      }
      print("\(bug): \(found.map { "found by \($0)" } ?? "NOT FOUND")")
      if found == nil { missedCount += 1 }
    }
    exit(missedCount > 0 ? 1 : 0)
  }
}
