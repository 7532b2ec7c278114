internal import BlockDevice
internal import BlockExport
internal import NVMeHost

extension Metrics {
  /// Of every controller its state, and whether it can be used.
  static func addControllers(_ service: Service, _ page: inout MetricsPage) {
    page.family("nvmeofd_controller_state", .gauge, "1 for the state that a controller is in.")
    for set in service.controllers.sets {
      for (index, controller) in set.controllers.enumerated() {
        let snapshot = controller.controller.snapshot
        page.sample(
          1 as UInt64, ["controller": set.name, "path": "\(index)", "state": "\(snapshot.state)"])
      }
    }
    page.family("nvmeofd_bdev_path_state", .gauge, "1 for the state that a path of a block device is in.")
    for device in service.devices.devices {
      guard let nvme = device.nvme else { continue }
      for path in nvme.multipath.snapshot.paths {
        page.sample(
          1 as UInt64, ["bdev": device.name, "path": path.address, "state": word(of: path.availability)])
      }
    }
  }

  /// Of every export its clients.
  static func addExports(_ service: Service, _ page: inout MetricsPage) {
    page.family("nvmeofd_export_clients", .gauge, "Clients of an export.")
    for served in service.exports.served {
      page.sample(
        UInt64(served.export.clients.count),
        ["bdev": served.device.name, "export": served.export.name, "socket": served.socketPath ?? ""])
    }
  }

  private static func word(of availability: PathAvailability) -> String {
    switch availability {
    case .optimized: "optimized"
    case .nonOptimized: "non_optimized"
    case .unavailable(.asymmetricAccess): "inaccessible"
    case .unavailable(let obstacle): "\(obstacle)"
    }
  }
}
