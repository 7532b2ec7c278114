package import BlockDevice

/// What the methods about NVMe act on.
package struct NVMeService: Sendable {
  /// A reactor that I/O runs on, under its name in the interface.
  package struct IOThread: Sendable {
    package var name: String
    package var reactor: ReactorHandle

    package init(name: String, reactor: ReactorHandle) {
      self.name = name
      self.reactor = reactor
    }
  }

  package var controllers: ControllerRegistry
  package var devices: DeviceRegistry
  package var ioThreads: [IOThread]
  /// Whether there is a key of a name.
  package var hasKey: @Sendable (String) -> Bool
  let commandMemory = CommandMemory()

  package init(
    controllers: ControllerRegistry, devices: DeviceRegistry, ioThreads: [IOThread],
    hasKey: @escaping @Sendable (String) -> Bool
  ) {
    self.controllers = controllers
    self.devices = devices
    self.ioThreads = ioThreads
    self.hasKey = hasKey
  }
}
