internal import BlockDevice
internal import JSONRPC

/// A block device in the interface's words. Read from snapshots alone: right at any moment, and never waiting.
enum DeviceText {
  static func members(of device: RegisteredDevice) -> JSONObject {
    let (geometry, capabilities) = (device.device.geometry, device.device.capabilities)
    var members: JSONObject = [
      "name": .string(device.name), "aliases": .array(device.aliases.map { .string($0) }),
      "product_name": .string(device.origin.productName), "block_size": .integer(geometry.blockByteCount),
      "num_blocks": .integer(geometry.blockCount), "uuid": .string(device.uuid.uuidString),
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
    members["supported_io_types"] = .object(operations(capabilities, isNVMe: device.nvme != nil))
    // Upstream's memory_domains has changed its type between releases, which breaks clients: it is left out.
    members["driver_specific"] = .object(device.nvme.map(driverMembers) ?? [:])
    return members
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
    var members: JSONObject = [
      "nvme": .array(device.paths.map { .object(path($0.controller, $0.snapshot, device)) })
    ]
    for member in device.multipathOptions.members(policy: "mp_policy", minimumIO: "rr_min_io").members {
      members[member.key] = member.value
    }
    return members
  }

  private static func path(
    _ controller: AttachedController, _ snapshot: Controller.Snapshot, _ device: NVMeDevice
  ) -> JSONObject {
    let address = controller.addresses[0]
    let namespace = device.multipath.namespaceIdentifier
    var members: JSONObject = ["trid": .object(address.members)]
    var reportsANA = false
    var hasSecurity = false
    if let identification = snapshot.identification {
      reportsANA = identification.supportsANAReporting
      let admin = identification.optionalAdminCommands
      hasSecurity = admin & 1 != 0
      func bit(_ position: UInt16) -> JSONValue { .integer(admin >> position & 1) }
      let vendor = String(identification.vendorIdentifier, radix: 16)
      members["ctrlr_data"] = [
        "cntlid": .integer(snapshot.controllerIdentifier),
        "vendor_id": .string("0x" + String(repeating: "0", count: 4 - vendor.count) + vendor),
        "model_number": .string(identification.modelNumber), "serial_number": .string(identification.serialNumber),
        "firmware_revision": .string(identification.firmwareRevision),
        "subnqn": .string(identification.subsystemNQN.isEmpty ? address.subsystemNQN : identification.subsystemNQN),
        "oacs": ["security": bit(0), "format": bit(1), "firmware": bit(2), "ns_manage": bit(3)],
        "multi_ctrlr": .bool(identification.supportsMultipleControllers), "ana_reporting": .bool(reportsANA),
      ]
    }
    members["vs"] = ["nvme_version": .string("\(snapshot.version)")]
    var namespaceMembers: JSONObject = ["id": .integer(namespace)]
    if reportsANA { namespaceMembers["ana_state"] = .string(word(snapshot.anaState(ofNamespace: namespace))) }
    namespaceMembers["can_share"] = .bool(snapshot.namespaces[namespace]?.isShared ?? false)
    members["ns_data"] = .object(namespaceMembers)
    if hasSecurity { members["security"] = ["opal": false] }
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
