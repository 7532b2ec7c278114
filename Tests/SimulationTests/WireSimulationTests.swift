import BlockDevice
import Simulation
import Testing

/// The initiator down to the system calls, on a simulated kernel and network.
@Suite struct WireSimulationTests {
  /// A few seeds with the compiler's checks on; `make simulate` plays more of them with the optimizer on.
  @Test(arguments: 0..<4 as Range<UInt64>) func nothingIsLost(part: UInt64) {
    var total = SimulationReport()
    for seed in part * 5..<part * 5 + 5 {
      do throws(Violation) {
        total = total + (try WireWorld(seed: seed).run())
      } catch {
        Issue.record("\(error)")
      }
    }
    // Worlds in which nothing happens prove nothing. (Not a share of the requests: one world without a path, in which each
    // fails at once and the next is made, can have most of them.)
    #expect(total.successCount > 1000)
    #expect(total.connectionCount > 50 && total.lossCount > 5 && total.reconnectCount > 5)
    #expect(total.statistics.failoverCount > 0 && total.statistics.fenceCount > 0)
  }

  @Test func aSeedIsAWorld() throws {
    let (one, two) = (try WireWorld(seed: 5).run(), try WireWorld(seed: 5).run())
    #expect(one == two)
    #expect(try WireWorld(seed: 6).run().trace != one.trace)
  }

  /// Those that nearly every world shows; `make simulate` looks for all of them.
  @Test(arguments: [
    PlantedWireBug.dataIncomplete, .lateCompletionAccepted, .fewerQueuesIgnored, .identityIgnored,
    .sendMemoryReleasedEarly, .cancelledReceiveForgotten,
  ])
  func mistakesAreFound(bug: PlantedWireBug) {
    let isFound = (0..<30 as Range<UInt64>).contains { seed in
      do throws(Violation) {
        _ = try WireWorld(seed: seed, bug: bug).run()
        return false
      } catch {
        return true
      }
    }
    #expect(isFound, "\(bug)")
  }
}
