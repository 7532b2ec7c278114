internal import NVMeHost
internal import NVMeProtocol

/// The data of a Connect command (NVMe Base 2.1, section 6.3, figure 546), with every field open to be wrong.
struct RawConnectData {
  var hostIdentifier: [UInt8]
  var controllerIdentifier: UInt16 = 0xFFFF
  var subsystemNQN: String
  var hostNQN: String

  init(_ target: ConformanceTarget) {
    hostIdentifier = target.identity.hostIdentifier.bytes
    subsystemNQN = target.subsystemNQN
    hostNQN = target.identity.hostNQN
  }

  /// HOSTID at 0, CNTLID at 16, SUBNQN at 256, HOSTNQN at 512, 1024 bytes in all.
  var bytes: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 1024)
    bytes.replaceSubrange(0..<16, with: hostIdentifier.prefix(16))
    bytes[16] = UInt8(truncatingIfNeeded: controllerIdentifier)
    bytes[17] = UInt8(truncatingIfNeeded: controllerIdentifier >> 8)
    for (offset, text) in [(256, subsystemNQN), (512, hostNQN)] {
      for (index, byte) in text.utf8.prefix(255).enumerated() { bytes[offset + index] = byte }
    }
    return bytes
  }
}
