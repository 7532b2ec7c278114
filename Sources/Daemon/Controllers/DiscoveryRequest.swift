package import BlockDevice
internal import JSONRPC

/// What `bdev_nvme_start_discovery` says, checked.
package struct DiscoveryRequest: Sendable {
  /// Of the discovery; its controllers are this name and a number.
  package var name: String
  package var address: TransportAddress
  package var hostNQN: String
  package var hostIdentifier: Identifier128
  package var timers = TimerSettings()
  /// The answer comes when all controllers that the log names have been attached, or could not be.
  package var waitsForAttach = false
  /// How long that may take, in milliseconds; 0 = for ever.
  package var attachTimeoutMilliseconds: UInt64 = 0
  package var multipath = MultipathOptions()

  init(name: String, address: TransportAddress, hostNQN: String, hostIdentifier: Identifier128) {
    self.name = name
    self.address = address
    self.hostNQN = hostNQN
    self.hostIdentifier = hostIdentifier
  }

  /// As the parameters of `bdev_nvme_start_discovery`.
  var members: JSONObject {
    var address = address
    address.subsystemNQN = ""
    var members: JSONObject = ["name": .string(name), "hostnqn": .string(hostNQN)]
    for member in address.members.members { members[member.key] = member.value }
    members["wait_for_attach"] = .bool(waitsForAttach)
    timers.add(to: &members)
    return members
  }
}
