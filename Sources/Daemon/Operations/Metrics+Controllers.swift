internal import BlockDevice
internal import BlockExport
internal import NBDServer
internal import NVMeHost

extension Metrics {
  /// Of every controller its state, and whether it can be used.
  static func addControllers(_ controllers: ControllerRegistry, _ devices: DeviceRegistry, _ page: inout MetricsPage) {
    page.family("nvmeofd_controller_state", .gauge, "1 for the state that a controller is in.")
    for set in controllers.sets {
      for controller in set.controllers {
        page.sample(
          1 as UInt64,
          ["controller": set.name, "path": "\(controller.transport)", "state": controller.stateText])
      }
    }
    let paths = devices.devices.flatMap { device in
      (device.nvme?.multipath.snapshot.paths ?? []).map { (device: device.name, path: $0) }
    }
    page.family("nvmeofd_bdev_path_state", .gauge, "1 for the state that a path of a block device is in.")
    for (device, path) in paths {
      page.sample(1 as UInt64, ["bdev": device, "path": path.address, "state": word(of: path.availability)])
    }
    page.family(
      "nvmeofd_bdev_path_on_probation", .gauge,
      "1 for a path that left I/O commands unanswered, and is not used where there is another.")
    for (device, path) in paths {
      page.sample(path.isOnProbation ? 1 : 0 as UInt64, ["bdev": device, "path": path.address])
    }
  }

  /// Of every export its clients. A device may be exported at several sockets under one name.
  static func addExports(_ service: Service, _ page: inout MetricsPage) {
    page.family("nvmeofd_nbd_connections", .gauge, "Connections of NBD clients, those that negotiate included.")
    page.sample(UInt64(service.exports.budget.connectionCount))
    page.family("nvmeofd_nbd_connections_limit", .gauge, "Connections that there may be.")
    page.sample(UInt64(service.exports.budget.configuration.maximumConnectionCount))
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
