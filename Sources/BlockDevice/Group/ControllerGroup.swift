public import NVMeHost
public import RingReactor

/// Controllers of one subsystem, each a path, and a ``MultipathBlockDevice`` for each namespace that they present.
///
/// Its owner attaches controllers, connects them, and detaches them. A namespace that appears becomes a device over all of
/// the group's controllers. A device goes when no controller presents its namespace any more; of one that is lost counts
/// what it presented last. Another namespace under an NSID, or one with other blocks, is another device: the old one goes
/// first.
///
/// Everything here is called on the home reactor's thread, and the owner is told there.
public final class ControllerGroup: @unchecked Sendable {
  private struct Attached {
    var controller: Controller
    var observer: UInt64
  }

  private struct Entry {
    var device: MultipathBlockDevice
    /// What the device stands for.
    var namespace: NamespaceInformation
    var paths: [ObjectIdentifier: MultipathPathIdentifier] = [:]

    func stands(for other: NamespaceInformation?) -> Bool {
      guard let other, other.unusableReason == nil else { return false }
      return namespace.hasSameIdentity(as: other)
    }
  }

  public let subsystemNQN: String
  /// What devices that come are made with.
  public var multipath: MultipathConfiguration
  private let home: ReactorHandle
  private let reactor: ReactorHandle
  private let nameDevice: (UInt32) -> String
  private let tell: (ControllerGroupEvent) -> Void
  private var attached: [Attached] = []
  private var entries: [Entry] = []

  /// - Parameters:
  ///   - home: whose thread all this happens on.
  ///   - reactor: for the devices' `async` faces; each controller should have an I/O queue there.
  ///   - nameDevice: the name of the device with an NSID.
  ///   - tell: is told the news.
  public init(
    subsystemNQN: String, home: ReactorHandle, reactor: ReactorHandle,
    multipath: MultipathConfiguration = MultipathConfiguration(),
    nameDevice: ((UInt32) -> String)? = nil, tell: @escaping (ControllerGroupEvent) -> Void
  ) {
    self.subsystemNQN = subsystemNQN
    self.home = home
    self.reactor = reactor
    self.multipath = multipath
    self.nameDevice = nameDevice ?? { "\(subsystemNQN)/\($0)" }
    self.tell = tell
  }

  deinit {
    for entry in attached { entry.controller.removeObserver(entry.observer) }
  }

  /// In the order attached.
  public var controllers: [Controller] { attached.map(\.controller) }
  /// In the order of their NSIDs.
  public var devices: [MultipathBlockDevice] { entries.map(\.device) }

  /// Takes a controller of the subsystem in, connected or not; its owner connects it.
  public func attach(_ controller: Controller) {
    precondition(controller.configuration.subsystemNQN == subsystemNQN, "all controllers are of one subsystem")
    let observer = controller.addObserver { [weak self, weak controller] notice in
      guard let self, let controller else { return }
      switch notice {
      case .ready, .namespacesChanged, .recovery(.reconnectDelayed, _), .closed, .removed:
        // On the controller's home reactor, which may be another one.
        home.post { _ in self.take(notice, of: controller) }
      default: break
      }
    }
    attached.append(Attached(controller: controller, observer: observer))
    reconcile()
  }

  /// Lets go of a controller: requests outstanding on it still end, new ones go elsewhere, and devices that only it
  /// presented are gone. The owner deletes the controller.
  public func detach(_ controller: Controller) {
    guard let index = attached.firstIndex(where: { $0.controller === controller }) else { return }
    controller.removeObserver(attached[index].observer)
    attached.remove(at: index)
    for index in entries.indices {
      if let path = entries[index].paths.removeValue(forKey: ObjectIdentifier(controller)) {
        entries[index].device.removePath(path)
      }
    }
    reconcile()
  }

  /// The path that a controller is of a device; nil when it is none.
  public func path(of device: MultipathBlockDevice, by controller: Controller) -> MultipathPathIdentifier? {
    entries.first { $0.device === device }?.paths[ObjectIdentifier(controller)]
  }

  private func take(_ notice: ControllerNotice, of controller: Controller) {
    guard attached.contains(where: { $0.controller === controller }) else { return }
    switch notice {
    case .ready:
      reconcile()
      tell(.controllerReady(controller))
    case .namespacesChanged: reconcile()
    case .recovery: tell(.controllerDelayed(controller))
    case .closed(let error): tell(.controllerClosed(controller, error))
    case .removed(let reason):
      detach(controller)
      tell(.controllerRemoved(controller, reason))
    default: break
    }
  }

  // MARK: Devices

  /// Brings the devices to what the controllers present now. It does so by itself; an owner who cannot wait for that may
  /// call it at any time.
  public func reconcile() {
    let snapshots = attached.map(\.controller.snapshot)
    let gone = entries.filter { entry in
      entry.device.isGone || !snapshots.contains { entry.stands(for: $0.namespaces[entry.namespace.identifier]) }
    }
    entries.removeAll { entry in gone.contains { $0.device === entry.device } }
    for entry in gone {
      entry.device.close()
      tell(.deviceRemoved(entry.device))
    }
    var known = Set(entries.map(\.namespace.identifier))
    var added: [MultipathBlockDevice] = []
    // Only what can be reached now, so that no device begins without blocks.
    for snapshot in snapshots where snapshot.state == .enabled {
      for namespace in snapshot.namespaces.values where namespace.unusableReason == nil {
        guard known.insert(namespace.identifier).inserted else { continue }
        let device = MultipathBlockDevice(
          subsystemNQN: subsystemNQN, namespaceIdentifier: namespace.identifier, name: nameDevice(namespace.identifier),
          identity: namespace, configuration: multipath, reactor: reactor)
        entries.append(Entry(device: device, namespace: namespace))
        added.append(device)
      }
    }
    if !added.isEmpty { entries.sort { $0.namespace.identifier < $1.namespace.identifier } }
    addPaths()
    for device in added.sorted(by: { $0.namespaceIdentifier < $1.namespaceIdentifier }) { tell(.deviceAdded(device)) }
  }

  /// Each controller is a path of all devices: a namespace that it does not present now it may present later.
  private func addPaths() {
    for index in entries.indices {
      for entry in attached where entries[index].paths[ObjectIdentifier(entry.controller)] == nil {
        do throws(MultipathPathError) {
          entries[index].paths[ObjectIdentifier(entry.controller)] = try entries[index].device.addPath(entry.controller)
        } catch {
          // Another namespace under the same NSID, or one path too many: the device does without it.
        }
      }
    }
  }
}
