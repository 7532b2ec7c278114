internal import JSONRPC

/// The daemon's configuration: the sections of it, in the order in which they are to be loaded.
package enum Configuration {
  /// - Parameter service: whose state the sections tell.
  package static func sections(of service: Service) -> [ConfigurationSection] {
    [
      ConfigurationSection("keyring") {
        service.keyring.all.map {
          ConfigurationEntry("keyring_file_add_key", ["name": .string($0.name), "path": .string($0.path)])
        }
      },
      ConfigurationSection("bdev", dependsOn: ["keyring"]) {
        var entries = [service.deviceSettings.optionsEntry]
        entries += NVMeConfiguration.entries(of: service.controllers)
        entries += DeviceSettings.limitEntries(of: service.devices)
        entries.append(ConfigurationEntry("bdev_wait_for_examine"))
        return entries
      },
      ConfigurationSection("nbd", dependsOn: ["bdev"]) {
        service.exports.served.map { served in
          guard let path = served.socketPath else { return ExportRequest.entry(served) }
          return ConfigurationEntry(
            "nbd_start_disk", ["bdev_name": .string(served.device.name), "nbd_device": .string(path)],
            about: served.device)
        }
      },
    ]
  }
}
