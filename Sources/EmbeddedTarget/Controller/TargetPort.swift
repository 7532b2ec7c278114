internal import NVMeProtocol

/// A port of the target as controllers see it: its address and the state of each ANA group behind it.
final class TargetPort {
  static let maximumAccessGroup: UInt32 = 32

  let identifier: UInt16
  let configuration: PortConfiguration
  /// Where it listens.
  var host: String
  var port: UInt16
  /// ``ANAState`` by group, 1...32.
  let accessStates: UnsafeMutablePointer<UInt8>

  init(identifier: UInt16, configuration: PortConfiguration) {
    self.identifier = identifier
    self.configuration = configuration
    host = configuration.host
    port = configuration.port
    let count = Int(Self.maximumAccessGroup) + 1
    accessStates = .allocate(capacity: count)
    accessStates.initialize(repeating: ANAState.optimized.rawValue, count: count)
  }

  deinit { accessStates.deallocate() }

  func offers(_ nqn: String) -> Bool { configuration.subsystems?.contains(nqn) ?? true }
}
