internal import BlockDevice
internal import JSONRPC
internal import Synchronization

/// A block device in the interface's words. Read from snapshots alone: right at any moment, and never waiting.
enum DeviceText {
  static func members(of device: RegisteredDevice) -> JSONObject {
    let (geometry, capabilities) = (device.device.geometry, device.device.capabilities)
    var members: JSONObject = [
      "name": .string(device.name), "aliases": .array(device.aliases.map { .string($0) }),
      "product_name": .string(device.origin.productName), "block_size": .integer(geometry.blockByteCount),
      "num_blocks": .integer(geometry.blockCount), "uuid": .string(device.aliases[0]),
    ]
    let limits = device.meter?.rateLimits ?? .none
    members["assigned_rate_limits"] = [
      "rw_ios_per_sec": .integer(limits.operationsPerSecond),
      "rw_mbytes_per_sec": .integer(limits.bytesPerSecond >> 20),
      "r_mbytes_per_sec": .integer(limits.readBytesPerSecond >> 20),
      "w_mbytes_per_sec": .integer(limits.writeBytesPerSecond >> 20),
    ]
    members["claimed"] = false
    members["zoned"] = false
    members["supported_io_types"] = .object(supportedOperations(capabilities, isNVMe: device.nvme != nil))
    // Upstream's memory_domains has changed its type between releases, which breaks clients: it is left out.
    members["driver_specific"] = .object(device.nvme.map(driverMembers) ?? [:])
    return members
  }

  /// By what it follows from: there are few, and many devices.
  private static let knownOperations = Mutex<[BlockCapabilities: JSONObject]>([:])

  private static func supportedOperations(_ capabilities: BlockCapabilities, isNVMe: Bool) -> JSONObject {
    guard isNVMe else { return operations(capabilities, isNVMe: false) }
    return knownOperations.withLock { known in
      if let members = known[capabilities] { return members }
      let members = operations(capabilities, isNVMe: true)
      known[capabilities] = members
      return members
    }
  }

  private static func operations(_ capabilities: BlockCapabilities, isNVMe: Bool) -> JSONObject {
    [
      "read": true, "write": .bool(capabilities.contains(.write)), "unmap": .bool(capabilities.contains(.discard)),
      "flush": true, "reset": .bool(isNVMe), "nvme_admin": .bool(isNVMe), "nvme_io": .bool(isNVMe), "nvme_io_md": false,
      "write_zeroes": .bool(capabilities.contains(.writeZeroes)), "zcopy": false, "get_zone_info": false,
      "zone_management": false, "zone_append": false, "compare": .bool(capabilities.contains(.compare)),
      "compare_and_write": false, "abort": .bool(isNVMe), "seek_hole": false, "seek_data": false, "copy": false,
      "nvme_iov_md": false,
    ]
  }

  private static func driverMembers(_ device: NVMeDevice) -> JSONObject {
    let identity = device.multipath.identity
    var members: JSONObject = [
      "nvme": .array(
        device.controllers.compactMap { path($0, device.multipath.namespaceIdentifier, identity).map { .object($0) } })
    ]
    for member in device.multipathOptions.members(policy: "mp_policy", minimumIO: "rr_min_io").members {
      members[member.key] = member.value
    }
    return members
  }

  /// What of a controller's state is printed with a namespace.
  private struct Facts {
    var association: UInt64
    var anaState: ANAState
    var isShared: Bool
    var reportsANA: Bool
    var hasSecurity: Bool
  }

  /// Nil for a controller that does not present the namespace.
  private static func path(
    _ controller: AttachedController, _ namespace: UInt32, _ identity: NamespaceInformation?
  ) -> JSONObject? {
    let facts = controller.controller.withSnapshot { snapshot -> Facts? in
      guard let identity, let own = snapshot.namespaces[namespace], own.hasSameIdentity(as: identity) else {
        return nil
      }
      return Facts(
        association: snapshot.association, anaState: snapshot.anaState(ofNamespace: namespace), isShared: own.isShared,
        reportsANA: snapshot.identification?.supportsANAReporting ?? false,
        hasSecurity: (snapshot.identification?.optionalAdminCommands ?? 0) & 1 != 0)
    }
    guard let facts else { return nil }
    let identification = controller.identificationText(association: facts.association) {
      identificationMembers($0, controller.addresses[0])
    }
    var members: JSONObject = ["trid": .object(controller.addresses[0].members)]
    for member in identification.members { members[member.key] = member.value }
    var namespaceMembers: JSONObject = ["id": .integer(namespace)]
    if facts.reportsANA { namespaceMembers["ana_state"] = .string(word(facts.anaState)) }
    namespaceMembers["can_share"] = .bool(facts.isShared)
    members["ns_data"] = .object(namespaceMembers)
    if facts.hasSecurity { members["security"] = ["opal": false] }
    return members
  }

  private static func identificationMembers(
    _ snapshot: Controller.Snapshot, _ address: TransportAddress
  ) -> JSONObject {
    var members = JSONObject()
    if let identification = snapshot.identification {
      let admin = identification.optionalAdminCommands
      func bit(_ position: UInt16) -> JSONValue { .integer(admin >> position & 1) }
      let vendor = String(identification.vendorIdentifier, radix: 16)
      members["ctrlr_data"] = [
        "cntlid": .integer(snapshot.controllerIdentifier),
        "vendor_id": .string("0x" + String(repeating: "0", count: 4 - vendor.count) + vendor),
        "model_number": .string(identification.modelNumber), "serial_number": .string(identification.serialNumber),
        "firmware_revision": .string(identification.firmwareRevision),
        "subnqn": .string(identification.subsystemNQN.isEmpty ? address.subsystemNQN : identification.subsystemNQN),
        "oacs": ["security": bit(0), "format": bit(1), "firmware": bit(2), "ns_manage": bit(3)],
        "multi_ctrlr": .bool(identification.supportsMultipleControllers),
        "ana_reporting": .bool(identification.supportsANAReporting),
      ]
    }
    members["vs"] = ["nvme_version": .string("\(snapshot.version)")]
    return members
  }

  private static func word(_ state: ANAState) -> String {
    switch state {
    case .optimized: "optimized"
    case .nonOptimized: "non_optimized"
    case .persistentLoss: "persistent_loss"
    case .change: "change"
    default: "inaccessible"
    }
  }
}
