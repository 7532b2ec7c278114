package import JSONRPC
public import Logging
public import NBDServer
public import NVMeHost
public import RingReactor
internal import Synchronization

/// What the daemon consists of, as its methods see it: one of these a process, made at start and handed to every group
/// of methods.
///
/// Control state (controllers, devices, exports, settings) lives in actors whose executor is ``control``, so that a
/// method needs no switch of threads to read it; I/O runs on ``reactors``.
public final class Service: Sendable {
  /// Where sockets of clients are served, methods run and control state lives.
  public let control: ReactorHandle
  /// Where queue pairs and exports live: one or more.
  public let reactors: [ReactorHandle]
  public let log: DaemonLog
  /// All block devices.
  package let devices = DeviceRegistry()
  /// All NVMe controllers, and the discovery services.
  package let controllers: ControllerRegistry
  /// What others may use of them.
  package let exports: ExportService
  package let notifications = Notifications()
  package let keyring = Keyring()
  package let lifecycle = Lifecycle()
  package let threads: ServiceThreads
  let deviceSettings: DeviceSettings
  private let installed = Mutex(Installed())

  /// What refers to the service itself.
  private struct Installed {
    var table: RPCMethodTable?
    var keeper: ConfigurationKeeper?
  }

  /// - Parameters:
  ///   - identity: what the host calls itself where a client does not say.
  ///   - nbdBudget: what NBD clients may have.
  ///   - nbdConfiguration: how they are served.
  public init(
    control: ReactorHandle, reactors: [ReactorHandle], identity: HostIdentity,
    nbdBudget: NBDBudgetConfiguration = NBDBudgetConfiguration(),
    nbdConfiguration: NBDServerConfiguration = NBDServerConfiguration(), log: DaemonLog
  ) {
    precondition(!reactors.isEmpty, "a service has at least one I/O reactor")
    self.control = control
    self.reactors = reactors
    self.log = log
    threads = ServiceThreads(control: control, reactors: reactors)
    deviceSettings = DeviceSettings(control: control)
    exports = ExportService(
      devices: devices, budget: NBDBudget(reactors: reactors, configuration: nbdBudget),
      configuration: nbdConfiguration, logger: log.logger(.nbd))
    controllers = ControllerRegistry(
      devices: devices, control: control, reactors: reactors, identity: identity, logger: log.logger(.bdevNVMe))
    let (notifications, deviceSettings) = (notifications, deviceSettings)
    _ = devices.addObserver { event in
      switch event {
      case .registered(let device): notifications.post(.deviceRegistered, device.name)
      case .unregistered(let device):
        notifications.post(.deviceUnregistered, device.name)
        deviceSettings.sample(device, periodMicroseconds: 0)
      case .resized(let device): notifications.post(.deviceResized, device.name)
      }
    }
  }

  /// What the methods about NVMe act on.
  package var nvme: NVMeService {
    let keyring = keyring
    return NVMeService(
      controllers: controllers, devices: devices,
      ioThreads: threads.all.dropFirst().map { NVMeService.IOThread(name: $0.name, reactor: $0.reactor) },
      hasKey: { keyring.contains($0) })
  }

  /// All methods, put together by ``Methods/all(of:)`` at the first use.
  package var table: RPCMethodTable {
    if let table = installed.withLock({ $0.table }) { return table }
    let table = RPCMethodTable(Methods.all(of: self))
    installed.withLock { $0.table = table }
    return table
  }

  func install(_ keeper: ConfigurationKeeper) { installed.withLock { $0.keeper = keeper } }

  /// Ends the start-up phase, and carries out what the configuration has for run time.
  ///
  /// - Returns: false when it has ended before.
  package func start() async -> Bool {
    guard lifecycle.start() else { return false }
    await configure()
    return true
  }

  /// Carries out what the configuration has for run time.
  func configure() async {
    await installed.withLock { $0.keeper }?.apply(.runTime)
  }

  public func logger(_ part: LogFlag) -> Logger { log.logger(part) }

  /// Ends what goes on, in order: nobody is served any more, then controllers are told that we leave. Returns when that
  /// is done, or was tried for as long as it may take.
  package func shutDown() async {
    let (exports, patience) = (exports, exports.stopPatience)
    await withTaskGroup(of: Bool.self) { group in
      group.addTask {
        await exports.stop()
        return true
      }
      group.addTask {
        try? await Task.sleep(for: patience)
        return false
      }
      // What is left of the exports then are requests that a target does not answer: they end with its controller.
      let haveExportsEnded = await group.next()
      if haveExportsEnded == true { group.cancelAll() }
      await controllers.stop()
    }
    deviceSettings.stop()
  }
}
