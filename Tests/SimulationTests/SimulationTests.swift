import BlockDevice
import Simulation
import Testing

@Suite struct SimulationTests {
  /// A few seeds with the compiler's checks on; `make simulate` plays thousands with the optimizer on, and plants bugs that
  /// must be found.
  @Test(arguments: 0..<4 as Range<UInt64>) func nothingIsLost(part: UInt64) {
    var total = SimulationReport()
    for seed in part * 25..<part * 25 + 25 {
      do throws(Violation) {
        total = total + (try World(seed: seed).run())
      } catch {
        Issue.record("\(error)")
      }
    }
    // A world in which nothing happens proves nothing.
    #expect(total.requestCount > 5000 && total.successCount > total.requestCount / 3)
    #expect(total.lossCount > 50 && total.reconnectCount > 50)
    #expect(total.statistics.failoverCount > 50 && total.statistics.fenceCount > 20)
    #expect(total.lateExecutionCount > 0 && total.unknownCount > 0)
    #expect(total.unansweredCount > 3 && total.answeredProbeCount > 3)
  }

  @Test func aSeedIsAWorld() throws {
    let (one, two) = (try World(seed: 77).run(), try World(seed: 77).run())
    #expect(one.requestCount == two.requestCount && one.statistics == two.statistics)
    #expect(one.lateExecutionCount == two.lateExecutionCount)
  }
}
