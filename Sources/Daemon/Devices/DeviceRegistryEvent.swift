/// News of the registry's devices.
package enum DeviceRegistryEvent: Sendable {
  case registered(RegisteredDevice)
  /// Its size has changed: `device.geometry` tells.
  case resized(RegisteredDevice)
  /// It is not found any more, and its channels are closing.
  case unregistered(RegisteredDevice)
}
