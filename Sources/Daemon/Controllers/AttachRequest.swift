package import BlockDevice
internal import JSONRPC

/// A controller that is to be attached: what `bdev_nvme_attach_controller` says, checked.
package struct AttachRequest: Sendable {
  package enum MultipathMode: String, RPCEnumeration {
    case failover, multipath, disable
  }

  package var name: String
  package var address: TransportAddress
  /// CNTLID to connect with: FFFFh for any.
  package var controllerIdentifier: UInt16 = 0xFFFF
  package var hostNQN: String
  package var hostIdentifier: Identifier128
  /// The local address to connect from; empty: any.
  package var hostAddress = ""
  package var mode = MultipathMode.multipath
  package var headerDigest = false
  package var dataDigest = false
  package var disablesFlowControl = true
  /// Nil: as long as a connection may take.
  package var fabricsConnectTimeoutMicroseconds: UInt64?
  package var queueCount: UInt32 = Self.defaultQueueCount
  package var priority: Int32?
  package var timers = TimerSettings()
  package var multipath = MultipathOptions()
  /// More devices than this cannot be named in the answer.
  package var maximumDeviceCount: UInt32 = Self.defaultMaximumDeviceCount
  /// The discovery service that has found it: it is tried for as long as its timers say, and is not a part of the
  /// configuration.
  package var discoverer: String?

  static let defaultMaximumDeviceCount: UInt32 = 128
  static let defaultQueueCount: UInt32 = 1024
  static let defaultFabricsConnectTimeoutMicroseconds: UInt64 = 500_000

  init(name: String, address: TransportAddress, hostNQN: String, hostIdentifier: Identifier128) {
    self.name = name
    self.address = address
    self.hostNQN = hostNQN
    self.hostIdentifier = hostIdentifier
  }

  package var isDiscovered: Bool { discoverer != nil }

  /// Several controllers, each a path; else several addresses of one controller.
  var usesMultipath: Bool { mode == .multipath }

  /// As the parameters of `bdev_nvme_attach_controller`.
  var members: JSONObject {
    var members: JSONObject = ["name": .string(name)]
    for member in address.members.members { members[member.key] = member.value }
    members["prchk_reftag"] = false
    members["prchk_guard"] = false
    timers.add(to: &members)
    members["hostnqn"] = .string(hostNQN)
    members["hdgst"] = .bool(headerDigest)
    members["ddgst"] = .bool(dataDigest)
    if !hostAddress.isEmpty { members["hostaddr"] = .string(hostAddress) }
    if let priority { members["priority"] = .string(String(priority)) }
    members["multipath"] = .string(mode.rawValue)
    if let fabricsConnectTimeoutMicroseconds {
      members["fabrics_connect_timeout_us"] = .integer(fabricsConnectTimeoutMicroseconds)
    }
    members["num_io_queues"] = .integer(queueCount)
    members["disable_sq_flow_control"] = .bool(disablesFlowControl)
    members["multipath_opts"] = multipath.value
    if maximumDeviceCount != Self.defaultMaximumDeviceCount { members["max_bdevs"] = .integer(maximumDeviceCount) }
    return members
  }

  /// What makes this address another one of a controller that is there: its ways of connecting, the controller's settings.
  func asAlternate(of controller: AttachRequest) -> AttachRequest {
    var request = controller
    request.address = address
    request.hostAddress = hostAddress
    request.mode = mode
    request.headerDigest = headerDigest
    request.dataDigest = dataDigest
    request.priority = priority
    return request
  }
}
