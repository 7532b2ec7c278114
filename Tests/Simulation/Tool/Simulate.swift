import BlockDevice
import Glibc
import Simulation

/// `simulate FIRST COUNT`: plays seeds and prints those that fail.
@main struct Simulate {
  static func main() {
    let arguments = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
    guard arguments.count == 2 else {
      print("usage: simulate FIRST-SEED COUNT")
      exit(2)
    }
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
}
