internal import NVMeHost
internal import RingReactor
import Synchronization

/// What ``DiscoveredDevices`` knows and does, on the discovery's home reactor: every method and all state but `news`.
final class DiscoveredDevicesCore: @unchecked Sendable {
  struct News {
    var devices: [MultipathBlockDevice] = []
    var observers = ObserverTable<DiscoveredDevicesEvent>()
  }

  private struct Attached {
    var controller: Controller
    /// It has been connected, or an attempt has failed.
    var isSettled = false
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
  /// By NQN.
  private var groups: [String: ControllerGroup] = [:]
  /// Controllers that are on their way out.
  private var leaving: [ObjectIdentifier: Controller] = [:]
  /// What discovery names.
  private var paths: [DiscoveryPath] = []
  private var isStopped = false

  /// When a path that has been given up is attached anew, unless news of its service comes first.
  private static let reattachSeconds = 10.0

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
    self.paths = paths
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
    attached[path] = Attached(controller: controller)
    order.append(path)
    tell(.pathAttached(path))
    group(of: controller.configuration.subsystemNQN).attach(controller)
    controller.connect()
  }

  private func group(of nqn: String) -> ControllerGroup {
    if let group = groups[nqn] { return group }
    let group = ControllerGroup(subsystemNQN: nqn, home: home, reactor: reactor, multipath: multipath) {
      [weak self] event in self?.take(event)
    }
    groups[nqn] = group
    return group
  }

  private func detach(_ path: DiscoveryPath) {
    guard let controller = attached.removeValue(forKey: path)?.controller else { return }
    leaving[ObjectIdentifier(controller)] = controller
    groups[controller.configuration.subsystemNQN]?.detach(controller)
    detached(path, controller)
    Task(executorPreference: home) {
      await controller.delete()
      self.onHome { $0.leaving[ObjectIdentifier(controller)] = nil }
    }
  }

  /// Given up by itself, its controller loss time-out being over. Discovery still names it: it is to come back.
  private func lost(_ controller: Controller) {
    guard let path = order.first(where: { attached[$0]?.controller === controller }) else { return }
    attached[path] = nil
    detached(path, controller)
    checkSettled()
    Task(executorPreference: home) {
      try? await Task.sleep(for: .seconds(Self.reattachSeconds))
      self.onHome { $0.reconcile(with: $0.paths) }
    }
  }

  private func detached(_ path: DiscoveryPath, _ controller: Controller) {
    order.removeAll { $0 == path }
    tell(.pathDetached(path))
    let nqn = controller.configuration.subsystemNQN
    if groups[nqn]?.controllers.isEmpty == true { groups[nqn] = nil }
  }

  private func take(_ event: ControllerGroupEvent) {
    switch event {
    case .controllerReady(let controller), .controllerDelayed(let controller): settle(controller)
    case .controllerClosed(let controller, let error):
      if let path = settle(controller) { tell(.pathFailed(path, error)) }
    case .controllerRemoved(let controller, _): lost(controller)
    case .deviceAdded(let device):
      news.withLock { $0.devices.append(device) }
      tell(.deviceAdded(device))
    case .deviceRemoved(let device):
      news.withLock { news in news.devices.removeAll { $0 === device } }
      tell(.deviceRemoved(device))
    }
  }

  @discardableResult
  private func settle(_ controller: Controller) -> DiscoveryPath? {
    guard let path = order.first(where: { attached[$0]?.controller === controller }) else { return nil }
    attached[path]?.isSettled = true
    checkSettled()
    return path
  }

  private func tell(_ event: DiscoveredDevicesEvent) {
    for observer in news.withLock({ $0.observers.all }) { observer(event) }
  }
}
