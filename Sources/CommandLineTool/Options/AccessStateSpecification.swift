import NVMeProtocol
import ArgumentParser
import EmbeddedTarget

/// `--ana` of `nvmeof target`: [PORT:]GROUP=STATE.
struct AccessStateSpecification: ExpressibleByArgument, Hashable, Sendable {
  static let names: [(name: String, state: ANAState)] = [
    ("optimized", .optimized), ("non-optimized", .nonOptimized), ("inaccessible", .inaccessible),
    ("persistent-loss", .persistentLoss), ("change", .change),
  ]

  static let allowed = names.map(\.name).joined(separator: ", ")

  /// Nil: through all ports.
  var port: UInt16?
  var group: UInt32
  var state: ANAState

  init?(argument: String) {
    let parts = argument.split(separator: "=", omittingEmptySubsequences: false)
    let places = parts[0].split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, places.count <= 2, let group = Self.group(places[places.count - 1]),
      let state = Self.state(parts[1])
    else { return nil }
    if places.count == 2 {
      guard let port = UInt16(places[0]), port > 0 else { return nil }
      self.port = port
    }
    self.group = group
    self.state = state
  }

  static func group(_ text: some StringProtocol) -> UInt32? {
    UInt32(text).flatMap { (1...32).contains($0) ? $0 : nil }
  }

  static func state(_ text: some StringProtocol) -> ANAState? { names.first { $0.name == text }?.state }
}
