import NVMeProtocol
import ArgumentParser
import EmbeddedTarget

/// `--ana` of `nvmeof target`: GROUP=STATE.
struct AccessStateSpecification: ExpressibleByArgument, Hashable, Sendable {
  static let names: [(name: String, state: ANAState)] = [
    ("optimized", .optimized), ("non-optimized", .nonOptimized), ("inaccessible", .inaccessible),
    ("persistent-loss", .persistentLoss), ("change", .change),
  ]

  var group: UInt32
  var state: ANAState

  init?(argument: String) {
    let parts = argument.split(separator: "=", omittingEmptySubsequences: false)
    guard parts.count == 2, let group = UInt32(parts[0]), (1...32).contains(group),
      let known = Self.names.first(where: { $0.name == parts[1] })
    else { return nil }
    self.group = group
    state = known.state
  }
}
