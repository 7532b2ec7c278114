internal import BlockDevice
internal import JSONRPC

/// What has to be called to have the controllers as they are now: nvme's share of the configuration's section "bdev".
///
/// Preferred paths are not among it, as upstream has it: they are named by CNTLIDs, which targets give anew at each
/// connect. Of discovery the services are, and what has been set of the devices that they have led to, but not the
/// controllers.
enum NVMeConfiguration {
  static func entries(of controllers: ControllerRegistry) -> [ConfigurationEntry] {
    var entries = [ConfigurationEntry("bdev_nvme_set_options", controllers.options.members)]
    for set in controllers.sets {
      for controller in set.controllers where controller.controller.snapshot.state != .deleting {
        for request in controller.requests where !request.isDiscovered {
          entries.append(ConfigurationEntry("bdev_nvme_attach_controller", request.members))
        }
      }
    }
    for discovery in controllers.discoveries where !discovery.isStopping {
      entries.append(ConfigurationEntry("bdev_nvme_start_discovery", discovery.request.members))
    }
    // Behind what leads to the devices.
    for set in controllers.sets {
      for device in set.devices {
        guard let nvme = device.nvme, nvme.multipathOptions != set.multipath else { continue }
        var members: JSONObject = ["name": .string(device.name)]
        for member in nvme.multipathOptions.members(policy: "policy", minimumIO: "rr_min_io").members {
          members[member.key] = member.value
        }
        entries.append(ConfigurationEntry("bdev_nvme_set_multipath_policy", members, about: device))
      }
    }
    let hotplug = controllers.hotplug
    entries.append(
      ConfigurationEntry(
        "bdev_nvme_set_hotplug",
        ["period_us": .integer(hotplug.periodMicroseconds), "enable": .bool(hotplug.isEnabled)]))
    return entries
  }
}
