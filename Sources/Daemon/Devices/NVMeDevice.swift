package import BlockDevice
import Synchronization

/// A namespace of a ``ControllerSet``, as the origin of a registered device.
package final class NVMeDevice: DeviceOrigin {
  package let multipath: MultipathBlockDevice
  private weak let set: ControllerSet?
  private let shared: Mutex<Shared>

  private struct Shared {
    var options: MultipathOptions { didSet { Revision.mark() } }
  }

  init(_ multipath: MultipathBlockDevice, of set: ControllerSet) {
    self.multipath = multipath
    self.set = set
    shared = Mutex(Shared(options: set.multipath))
  }

  package var productName: String { "NVMe disk" }

  /// How requests are spread over the paths, as it was asked for.
  package var multipathOptions: MultipathOptions {
    get { shared.withLock { $0.options } }
    set { shared.withLock { $0.options = newValue } }
  }

  /// The controllers that present the namespace, each with what is known of it now.
  package var paths: [(controller: AttachedController, snapshot: Controller.Snapshot)] {
    guard let set, let identity = multipath.identity else { return [] }
    return set.controllers.compactMap { controller in
      let snapshot = controller.controller.snapshot
      let namespace = snapshot.namespaces[multipath.namespaceIdentifier]
      return namespace?.hasSameIdentity(as: identity) == true ? (controller, snapshot) : nil
    }
  }

  /// What the namespace is known by: its NGUID, as upstream has it, or its UUID. One that has neither gets an identifier
  /// made of the subsystem's serial number and the NSID, which is the same whenever it is attached.
  static func identifier(of namespace: NamespaceInformation, serialNumber: String) -> Identifier128 {
    if !namespace.nguid.isZero { return namespace.nguid }
    if !namespace.uuid.isZero { return namespace.uuid }
    return NameBasedUUID.make(serialNumber: serialNumber, namespaceIdentifier: namespace.identifier)
  }
}

extension RegisteredDevice {
  /// The namespace behind it; nil for devices of other kinds.
  package var nvme: NVMeDevice? { origin as? NVMeDevice }
  /// What counts and limits its I/O; nil for devices that do without.
  package var meter: MeteredBlockDevice? { device as? MeteredBlockDevice }

  package func resetStatistics(_ what: BlockStatistics.Reset) {
    meter?.resetStatistics(what)
    if what != .extremes { nvme?.multipath.resetPathFailures() }
  }
}
