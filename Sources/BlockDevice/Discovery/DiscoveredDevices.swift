public import NVMeHost
public import RingReactor
import Synchronization

/// Keeps a controller connected for each way to a subsystem that discovery names, and a ``MultipathBlockDevice`` for each
/// namespace that these present.
///
/// It follows a ``PersistentDiscovery``: what that attaches is connected, what it detaches is deleted, with I/O in flight
/// going to the paths that are left. A path that is given up (its controller loss time-out is over) while discovery still
/// names it is attached anew when its service has been connected again, or 10 s later. It goes by what is true, not by each piece of news, so that none can be missed. Any
/// thread may call anything here at any time.
public final class DiscoveredDevices: Sendable {
  public let discovery: PersistentDiscovery
  private let core: DiscoveredDevicesCore

  /// - Parameters:
  ///   - discovery: started and stopped by its owner.
  ///   - reactor: for the devices' `async` faces; each controller should have an I/O queue there.
  ///   - makeController: a controller for a path, not yet connected. Its timers should reconnect, and its first connect be
  ///     tried again; else it stays away once it has failed. Nil leaves the path alone.
  public init(
    discovery: PersistentDiscovery, reactor: ReactorHandle,
    multipath: MultipathConfiguration = MultipathConfiguration(),
    makeController: @escaping @Sendable (DiscoveryPath) -> Controller?
  ) {
    self.discovery = discovery
    let core = DiscoveredDevicesCore(
      home: discovery.home, reactor: reactor, multipath: multipath, makeController: makeController)
    self.core = core
    let observer = discovery.addObserver { [weak discovery] event in
      switch event {
      case .attach, .detach, .serviceConnected: if let discovery { core.reconcile(with: discovery.snapshot.paths) }
      default: break
      }
    }
    core.onHome { [weak discovery] core in
      core.discoveryObserver = observer
      if let discovery { core.reconcile(with: discovery.snapshot.paths) }
    }
  }

  deinit {
    let discovery = discovery
    core.onHome { core in
      discovery.removeObserver(core.discoveryObserver)
      _ = core.stop()
    }
  }

  /// One for each namespace that some path presents; of a path that is lost counts what it presented last.
  public var devices: [MultipathBlockDevice] { core.news.withLock { $0.devices } }

  /// Waits until each path that discovery names has been connected, or an attempt to do so has failed. Call it after
  /// ``PersistentDiscovery/ready()``.
  public func settled() async {
    let core = core
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      let isPosted = core.onHome { core in
        core.settleWaiters.append(continuation)
        core.checkSettled()
      }
      if !isPosted { continuation.resume() }
    }
  }

  /// Takes all devices' paths out, deletes all controllers, and waits until nothing of them is left. Nothing is attached any
  /// more.
  public func stop() async {
    let (core, discovery) = (core, discovery)
    let controllers = await withUnsafeContinuation { (continuation: UnsafeContinuation<[Controller], Never>) in
      let isPosted = core.onHome { core in
        discovery.removeObserver(core.discoveryObserver)
        continuation.resume(returning: core.stop())
      }
      if !isPosted { continuation.resume(returning: []) }
    }
    for controller in controllers { await controller.delete() }
  }

  /// Has `observer` told the news, in order, on the discovery's home reactor's thread, until ``removeObserver(_:)``.
  public func addObserver(_ observer: @escaping @Sendable (DiscoveredDevicesEvent) -> Void) -> UInt64 {
    core.news.withLock { $0.observers.add(observer) }
  }

  public func removeObserver(_ identifier: UInt64) { core.news.withLock { $0.observers.remove(identifier) } }
}
