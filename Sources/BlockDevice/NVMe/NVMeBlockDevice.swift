public import NVMeHost
public import RingReactor
import Synchronization

/// An NVMe namespace as a block device.
///
/// Its size and attributes follow the namespace at run time. When the namespace goes, or is replaced by another one
/// under the same NSID, the device is gone for good: its channels close, and ``isGone`` says so.
public final class NVMeBlockDevice: BlockDevice {
  private final class WeakChannel: @unchecked Sendable {
    weak let channel: NVMeChannel?
    let reactor: ReactorHandle
    init(_ channel: NVMeChannel, reactor: ReactorHandle) {
      self.channel = channel
      self.reactor = reactor
    }
  }

  private struct Shared {
    var namespace: NamespaceInformation
    var limits: NVMeNamespaceLimits
    var channels: [WeakChannel] = []
  }

  public let name: String
  public let controller: Controller
  public let asyncFace: AsyncFace
  private let shared: Mutex<Shared>
  private let observer: Mutex<UInt64?> = Mutex(nil)

  /// - Parameter namespace: one of the controller's namespaces that has no `unusableReason`.
  init(controller: Controller, namespace: NamespaceInformation) {
    self.controller = controller
    name = "\(controller.configuration.subsystemNQN)/\(namespace.identifier)"
    asyncFace = AsyncFace(reactor: controller.ioQueues.first?.reactor ?? controller.home)
    shared = Mutex(
      Shared(
        namespace: namespace,
        limits:
          NVMeNamespaceLimits(
            namespace, controller.snapshot,
            hostLimitByteCount: controller.configuration.maximumTransferByteCount)))
    let identifier = controller.addObserver { [weak self] notice in
      switch notice {
      case .namespacesChanged(let changes): self?.take(changes)
      // A controller that has come back may have other limits.
      case .ready: self?.take([])
      case .removed: self?.take([], isGone: true)
      default: break
      }
    }
    observer.withLock { $0 = identifier }
    // What was told after the namespace was looked up and before there was an observer.
    let now = controller.snapshot
    if now.state != .deleted, let known = now.namespaces[namespace.identifier], known.unusableReason == nil,
      known.hasSameIdentity(as: namespace)
    {
      take([.changed(old: namespace, new: known)])
    } else {
      take([], isGone: true)
    }
  }

  deinit {
    if let identifier = observer.withLock({ $0 }) { controller.removeObserver(identifier) }
  }

  public var geometry: BlockGeometry { shared.withLock { $0.limits.geometry } }
  public var capabilities: BlockCapabilities { shared.withLock { $0.limits.capabilities } }
  public var reactor: ReactorHandle { asyncFace.reactor }
  /// What the controller says of the namespace.
  public var namespace: NamespaceInformation { shared.withLock { $0.namespace } }
  /// The namespace does not exist any more.
  public var isGone: Bool { shared.withLock { $0.limits.isGone } }

  public func openChannel(on reactor: Reactor, queueDepth: Int) throws(BlockRefusal) -> BlockChannel {
    try openChannel(on: reactor, queueDepth: queueDepth, preferring: nil)
  }

  /// - Parameter queueIdentifier: QID of the I/O queue to use where it lives on this reactor; nil, or one that does not: the
  ///   least used.
  func openChannel(
    on reactor: Reactor, queueDepth: Int, preferring queueIdentifier: UInt16?
  ) throws(BlockRefusal) -> BlockChannel {
    let limits = shared.withLock { $0.limits }
    if limits.isGone { throw .closed }
    // The queues are shared with the controller's other namespaces: the least used, whoever uses it.
    let queues = controller.ioQueues(on: reactor.handle)
    guard
      let queue = queues.first(where: { $0.identifier == queueIdentifier })
        ?? queues.min(by: { $0.userCount < $1.userCount })
    else { throw .noQueueOnReactor }
    let channel = NVMeChannel(reactor: reactor, queueDepth: queueDepth, queue: queue, limits: limits)
    // Of a device that nobody holds the channel would not hear that there is another namespace in its place.
    channel.keep(self)
    let entry = WeakChannel(channel, reactor: reactor.handle)
    let current = shared.withLock { shared in
      shared.channels.removeAll { $0.channel == nil }
      shared.channels.append(entry)
      return shared.limits
    }
    // What has changed since the channel was made was told to those that were known then.
    if current != limits { channel.update(current) }
    return channel
  }

  /// The reactor on which ``openChannel(on:queueDepth:)`` finds the least used queue; nil where there is no queue.
  var leastUsedQueueReactor: ReactorHandle? {
    controller.ioQueues.prefix(controller.snapshot.queueCount).min { $0.userCount < $1.userCount }?.reactor
  }

  private func take(_ changes: [NamespaceChange], isGone: Bool = false) {
    let snapshot = controller.snapshot
    let (limits, channels): (NVMeNamespaceLimits, [WeakChannel]) = shared.withLock { shared in
      if isGone { shared.limits.isGone = true }
      if !shared.limits.isGone {
        shared.limits = NVMeNamespaceLimits(
          shared.namespace, snapshot, hostLimitByteCount: controller.configuration.maximumTransferByteCount)
      }
      for change in changes {
        switch change {
        case .removed(let old) where old.identifier == shared.namespace.identifier:
          shared.limits.isGone = true
        case .changed(_, let new) where new.identifier == shared.namespace.identifier && !shared.limits.isGone:
          shared.namespace = new
          shared.limits =
            NVMeNamespaceLimits(
              new, snapshot, hostLimitByteCount: controller.configuration.maximumTransferByteCount)
        default:
          break
        }
      }
      return (shared.limits, shared.channels)
    }
    for entry in channels {
      entry.reactor.post { _ in entry.channel?.update(limits) }
    }
  }
}

extension Controller {
  /// A block device for each namespace that can be used as one, in the order of their NSIDs. Each call makes new ones.
  public func blockDevices() -> [NVMeBlockDevice] {
    snapshot.namespaces.values.filter { $0.unusableReason == nil }.sorted { $0.identifier < $1.identifier }
      .map { NVMeBlockDevice(controller: self, namespace: $0) }
  }

  /// A new block device of one namespace; nil when there is none with this NSID, or it cannot be used as one:
  /// ``NamespaceInformation/unusableReason`` of ``Snapshot/namespaces`` says why. There are namespaces once the controller
  /// has been ready.
  public func blockDevice(namespaceIdentifier: UInt32) -> NVMeBlockDevice? {
    guard let namespace = snapshot.namespaces[namespaceIdentifier], namespace.unusableReason == nil else { return nil }
    return NVMeBlockDevice(controller: self, namespace: namespace)
  }
}
