package import BlockDevice

/// A block device under its name in the daemon ("bdev").
package final class RegisteredDevice: Sendable {
  /// Unique in the registry: for a namespace the controller's name + "n" + NSID.
  package let name: String
  /// Other names that it is found by; the UUID is one.
  package let aliases: [String]
  package let uuid: Identifier128
  /// What I/O goes to. Channels close by themselves when the device is unregistered.
  package let device: any BlockDevice
  /// What its driver tells of it.
  package let origin: any DeviceOrigin

  package init(
    name: String, uuid: Identifier128, device: any BlockDevice, origin: any DeviceOrigin
  ) {
    self.name = name
    self.uuid = uuid
    aliases = [uuid.uuidString]
    self.device = device
    self.origin = origin
  }
}
