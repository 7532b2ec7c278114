internal import NVMeProtocol
package import JSONRPC

/// A call that is part of a configuration.
package struct ConfigurationEntry: Sendable, Hashable {
  package var method: String
  /// nil when the method takes none.
  package var parameters: JSONObject?
  /// The UUID of the device that it is about; nil where it is about none, or nobody has said which one. The same name may be
  /// another device's later: that of a namespace that has come in the place of an earlier one.
  package var deviceUUID: String?

  package init(_ method: String, _ parameters: JSONObject? = nil, deviceUUID: String? = nil) {
    self.method = method
    self.parameters = parameters
    self.deviceUUID = deviceUUID
  }

  init(_ method: String, _ parameters: JSONObject, about device: RegisteredDevice) {
    self.init(method, parameters, deviceUUID: device.uuid.uuidString)
  }

  /// `{"method": …, "params": …}`, as SPDK's client takes it: it knows no other member.
  package var value: JSONValue {
    var object: JSONObject = ["method": .string(method)]
    if let parameters { object["params"] = .object(parameters) }
    return .object(object)
  }

  /// The same with the device, as the daemon keeps it.
  var keptValue: JSONValue {
    guard let deviceUUID, var object = value.objectValue else { return value }
    object["device_uuid"] = .string(deviceUUID)
    return .object(object)
  }
}

extension ConfigurationEntry {
  /// What the call is about, for the log.
  var name: String? { parameters?["name"]?.stringValue ?? parameters?["bdev_name"]?.stringValue }

  /// The device that the call is about; nil for calls that are about something else.
  var deviceName: String? {
    if let name = parameters?["bdev_name"]?.stringValue { return name }
    return Self.settings.contains(method) ? parameters?["name"]?.stringValue : nil
  }

  /// What is set of a device; the last call counts.
  private static let settings = [limits, "bdev_nvme_set_multipath_policy"]
  private static let limits = "bdev_set_qos_limit"
  /// What brings devices whose names begin with its own.
  private static let bringers = ["bdev_nvme_attach_controller", "bdev_nvme_start_discovery"]

  /// What is left of a setting when a later call has set some of the same device; nil when nothing is.
  func remainder(after later: ConfigurationEntry) -> ConfigurationEntry? {
    guard Self.settings.contains(method), method == later.method, deviceName == later.deviceName,
      deviceUUID == nil || later.deviceUUID == nil || deviceUUID == later.deviceUUID
    else { return self }
    // Limits are set one by one; a policy is one thing.
    guard method == Self.limits, let parameters else { return nil }
    var rest = self
    for key in parameters.members.map(\.key) where key != "name" && !(later.parameters?[key]?.isNull ?? true) {
      rest.parameters?[key] = nil
    }
    return rest.parameters?.members.count == 1 ? nil : rest
  }

  /// Whether a device would be one of the controller that a call has attached (its name, "n", NSID), or of those that a
  /// discovery service has named (its name, a number, "n", NSID).
  static func isDevice(_ device: String, of method: String, named name: String) -> Bool {
    guard bringers.contains(method), device.hasPrefix(name) else { return false }
    let parts = device.dropFirst(name.count).split(separator: "n", omittingEmptySubsequences: false)
    func isNumber(_ text: Substring) -> Bool { !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) } }
    guard parts.count == 2, isNumber(parts[1]) else { return false }
    return method == "bdev_nvme_start_discovery" ? isNumber(parts[0]) : parts[0].isEmpty
  }

  /// Whether it is about a device that ``isDevice(_:of:named:)`` tells of.
  func isAboutDevice(of method: String, named name: String) -> Bool {
    deviceName.map { Self.isDevice($0, of: method, named: name) } ?? false
  }

  /// Whether it attaches or finds what has the name.
  func brings(_ name: String, by method: String) -> Bool {
    self.method == method && parameters?["name"] == .string(name)
  }

  /// The name of what it brings; nil when it brings no devices.
  var broughtName: String? { Self.bringers.contains(method) ? parameters?["name"]?.stringValue : nil }

  /// What the call is made with from a file: a discovery service that is away must not hold up what comes behind it, and
  /// need not be waited for, since what depends on it is tried again.
  var replayedParameters: JSONObject? {
    guard method == "bdev_nvme_start_discovery", var replayed = parameters else { return parameters }
    replayed["wait_for_attach"] = nil
    replayed["attach_timeout_ms"] = nil
    return replayed
  }

  /// Whether this call of what the daemon is says all that a call of a file does, in whatever order, and maybe more.
  func says(_ other: ConfigurationEntry) -> Bool {
    guard method == other.method else { return false }
    return other.replayedParameters?.members.allSatisfy { parameters?[$0.key] == $0.value } ?? true
  }

  /// Whether a client means this call who takes something back by `given`, of which `key` is its name. What is not said, is
  /// null or empty fits all; words of the transport and its addresses are compared in any letter case, as at a detach.
  func isMeant(by given: JSONObject, named key: String) -> Bool {
    given.members.allSatisfy { member in
      guard member.key != key else { return parameters?[key] == member.value }
      guard let own = parameters?[member.key], own != member.value, member.value != .null else { return true }
      guard let word = member.value.stringValue, let ownWord = own.stringValue else { return false }
      if word.isEmpty { return true }
      return ["trtype", "adrfam"].contains(member.key) && word.lowercased() == ownWord.lowercased()
    }
  }
}
