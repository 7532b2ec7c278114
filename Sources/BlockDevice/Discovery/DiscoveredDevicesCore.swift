internal import NVMeHost
internal import RingReactor
import Synchronization

/// What ``DiscoveredDevices`` knows and does, on the discovery's home reactor: every method and all state but `news`.
final class DiscoveredDevicesCore: @unchecked Sendable {
  struct News {
    var devices: [MultipathBlockDevice] = []
    var observers: [UInt64: @Sendable (DiscoveredDevicesEvent) -> Void] = [:]
    var nextObserver: UInt64 = 0
  }

  private struct Attached {
    var controller: Controller
    var observer: UInt64
    /// It has been connected, or an attempt has failed.
    var isSettled = false
  }

  private struct Device {
    var device: MultipathBlockDevice
    var paths: [DiscoveryPath: MultipathPathIdentifier] = [:]
  }

  let news = Mutex(News())
  var discoveryObserver: UInt64 = 0
  var settleWaiters: [UnsafeContinuation<Void, Never>] = []
  private let home: ReactorHandle
  private let reactor: ReactorHandle
  private let multipath: MultipathConfiguration
  private let makeController: @Sendable (DiscoveryPath) -> Controller?
  private var attached: [DiscoveryPath: Attached] = [:]
  private var order: [DiscoveryPath] = []
  private var devices: [Device] = []
  /// Controllers that are on their way out.
  private var leaving: [ObjectIdentifier: Controller] = [:]
  private var isStopped = false

  init(
    home: ReactorHandle, reactor: ReactorHandle, multipath: MultipathConfiguration,
    makeController: @escaping @Sendable (DiscoveryPath) -> Controller?
  ) {
    self.home = home
    self.reactor = reactor
    self.multipath = multipath
    self.makeController = makeController
  }

  @discardableResult
  func onHome(_ body: @escaping @Sendable (DiscoveredDevicesCore) -> Void) -> Bool {
    home.post { _ in body(self) }
  }

  /// Attaches and detaches what differs.
  func reconcile(with paths: [DiscoveryPath]) {
    guard !isStopped else { return }
    let wanted = Set(paths)
    for path in paths where attached[path] == nil { attach(path) }
    for path in order where !wanted.contains(path) { detach(path) }
    checkSettled()
  }

  /// - Returns: what is left of the controllers.
  func stop() -> [Controller] {
    isStopped = true
    for path in order { detach(path) }
    checkSettled()
    return Array(leaving.values)
  }

  func checkSettled() {
    guard attached.values.allSatisfy(\.isSettled) else { return }
    for waiter in settleWaiters { waiter.resume() }
    settleWaiters = []
  }

  // MARK: Paths

  private func attach(_ path: DiscoveryPath) {
    guard let controller = makeController(path) else { return }
    let observer = controller.addObserver { [weak self] notice in
      switch notice {
      case .ready, .namespacesChanged, .recovery(.reconnectDelayed, _), .closed:
        // On the controller's home reactor, which may be another one.
        self?.onHome { $0.take(notice, of: path) }
      default: break
      }
    }
    attached[path] = Attached(controller: controller, observer: observer)
    order.append(path)
    tell(.pathAttached(path))
    controller.connect()
  }

  private func detach(_ path: DiscoveryPath) {
    guard let entry = attached.removeValue(forKey: path) else { return }
    order.removeAll { $0 == path }
    entry.controller.removeObserver(entry.observer)
    for index in devices.indices {
      if let identifier = devices[index].paths.removeValue(forKey: path) {
        devices[index].device.removePath(identifier)
      }
    }
    let gone = devices.filter { $0.paths.isEmpty }.map(\.device)
    devices.removeAll { $0.paths.isEmpty }
    publish()
    let controller = entry.controller
    leaving[ObjectIdentifier(controller)] = controller
    Task(executorPreference: home) {
      await controller.delete()
      self.onHome { $0.leaving[ObjectIdentifier(controller)] = nil }
    }
    tell(.pathDetached(path))
    for device in gone { tell(.deviceRemoved(device)) }
  }

  private func take(_ notice: ControllerNotice, of path: DiscoveryPath) {
    guard let entry = attached[path] else { return }
    switch notice {
    case .ready, .namespacesChanged: addDevices(of: path, entry.controller)
    case .closed(let error): tell(.pathFailed(path, error))
    default: break
    }
    attached[path]?.isSettled = true
    checkSettled()
  }

  // MARK: Devices

  /// Makes devices for namespaces that are new, and the controller a path of all devices of its subsystem: a namespace that it
  /// does not present now it may present later.
  private func addDevices(of path: DiscoveryPath, _ controller: Controller) {
    let nqn = controller.configuration.subsystemNQN
    let known = Set(devices.filter { $0.device.subsystemNQN == nqn }.map(\.device.namespaceIdentifier))
    let namespaces = controller.snapshot.namespaces.values
      .filter { $0.unusableReason == nil && !known.contains($0.identifier) }.map(\.identifier).sorted()
    let added = namespaces.map {
      MultipathBlockDevice(
        subsystemNQN: nqn, namespaceIdentifier: $0, configuration: multipath, reactor: reactor)
    }
    devices += added.map { Device(device: $0) }
    for index in devices.indices where devices[index].device.subsystemNQN == nqn {
      let isNew = devices[index].paths.isEmpty
      // A new device takes all controllers there are, so that no path is left out.
      for other in isNew ? order : [path] {
        guard devices[index].paths[other] == nil, let entry = attached[other],
          entry.controller.configuration.subsystemNQN == nqn
        else { continue }
        do throws(MultipathPathError) {
          devices[index].paths[other] = try devices[index].device.addPath(entry.controller)
        } catch {
          // Another namespace under the same NSID, or one path too many: the device does without it.
        }
      }
    }
    devices.removeAll { $0.paths.isEmpty }
    publish()
    for device in added { tell(.deviceAdded(device)) }
  }

  private func publish() {
    let list = devices.map(\.device)
    news.withLock { $0.devices = list }
  }

  private func tell(_ event: DiscoveredDevicesEvent) {
    let observers = news.withLock { news in news.observers.sorted { $0.key < $1.key }.map(\.value) }
    for observer in observers { observer(event) }
  }
}
