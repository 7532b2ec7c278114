public import BlockDevice
internal import RingReactor
internal import Synchronization

/// A block device that others may use: what they are told of it, and how long it lasts.
///
/// An export knows no wire. A back end (NBD; vhost-user-blk and ublk would be others) attaches each of its clients, opens a
/// channel of ``device`` for it on the client's reactor, holds requests against ``limits``, and listens to what becomes of
/// the export:
///
/// - *The limits change*: the client is told where its protocol can say so; requests are held against the new ones.
/// - *The export ends* (taken back, device gone, shutdown): the client's outstanding requests come to their ends, new ones
///   get an error that says why, and the client is detached. ``drained()`` waits for that.
/// - *The client goes*: its outstanding requests come to their ends before its memory is freed; then it is detached.
///
/// Any thread may call. Observers are called on the thread of whoever caused the event, and must not call back.
public final class Export: Sendable {
  private struct Client {
    var description: ExportClient
    var observer: @Sendable (ExportEvent) -> Void
  }

  private struct Shared {
    var limits: ExportLimits
    var endReason: ExportEndReason?
    var clients: [UInt64: Client] = [:]
    var observers = ObserverTable<ExportEvent>()
    var nextIdentifier: UInt64 = 0
    var waiters: [UnsafeContinuation<Void, Never>] = []
    /// Of the device's own observers.
    var deviceObserver: UInt64?
  }

  public let configuration: ExportConfiguration
  public let device: any BlockDevice
  public var name: String { configuration.name }
  private let shared: Mutex<Shared>

  /// - Throws: ``ExportError`` for a configuration that is not valid, or a device that NBD and its like cannot describe.
  public init(device: any BlockDevice, configuration: ExportConfiguration) throws(ExportError) {
    try configuration.validate()
    let geometry = device.geometry
    guard geometry.blockByteCount.nonzeroBitCount == 1, (512...65_536).contains(geometry.blockByteCount) else {
      throw ExportError(
        field: "device", value: device.name,
        rule: "a block size is a power of two from 512 to 65536, not \(geometry.blockByteCount)")
    }
    self.configuration = configuration
    self.device = device
    shared = Mutex(
      Shared(
        limits: ExportLimits(geometry: geometry, capabilities: device.capabilities, configuration: configuration)))
    if let device = device as? MultipathBlockDevice { follow(device) }
  }

  deinit {
    let observer = shared.withLock { $0.deviceObserver }
    if let observer, let device = device as? MultipathBlockDevice { device.removeObserver(observer) }
  }

  /// A device that says what becomes of it is listened to; for others its owner calls ``refresh()`` and ``end(_:)``.
  private func follow(_ device: MultipathBlockDevice) {
    let identifier = device.addObserver { [weak self] event in
      switch event {
      case .namespaceChanged: self?.refresh()
      case .deviceGone: self?.end(.deviceGone)
      default: break
      }
    }
    shared.withLock { $0.deviceObserver = identifier }
    if device.isGone { end(.deviceGone) }
    // What has changed before anybody listened.
    refresh()
  }

  public var limits: ExportLimits { shared.withLock { $0.limits } }
  /// Nil while it lasts.
  public var endReason: ExportEndReason? { shared.withLock { $0.endReason } }
  /// Who uses it, in the order of coming.
  public var clients: [ExportClient] {
    shared.withLock { $0.clients.sorted { $0.key < $1.key }.map(\.value.description) }
  }

  /// Looks at the device again: for its owner, when it has changed.
  public func refresh() {
    tell { shared in
      // Looked at in here: of several who look at the same time, the one that comes last has seen the latest.
      let limits = ExportLimits(
        geometry: device.geometry, capabilities: device.capabilities, configuration: configuration)
      guard shared.endReason == nil, shared.limits != limits else { return nil }
      // A client's requests in flight are in blocks: another block size is another device.
      guard shared.limits.blockByteCount == limits.blockByteCount else { return Self.end(&shared, .deviceGone) }
      shared.limits = limits
      return .limitsChanged(limits)
    }
  }

  /// Ends the export: the first reason counts. Returns at once; ``drained()`` waits for its clients.
  public func end(_ reason: ExportEndReason) {
    tell { Self.end(&$0, reason) }
  }

  private static func end(_ shared: inout Shared, _ reason: ExportEndReason) -> ExportEvent? {
    guard shared.endReason == nil else { return nil }
    shared.endReason = reason
    return .ended(reason)
  }

  /// Tells what `change` has come to; nil: nothing.
  private func tell(_ change: (inout Shared) -> ExportEvent?) {
    let (event, observers) = shared.withLock { shared -> (ExportEvent?, [@Sendable (ExportEvent) -> Void]) in
      guard let event = change(&shared) else { return (nil, []) }
      return (event, shared.clients.sorted { $0.key < $1.key }.map(\.value.observer) + shared.observers.all)
    }
    guard let event else { return }
    for observer in observers { observer(event) }
  }

  /// Waits until the export has no clients.
  public func drained() async {
    await withUnsafeContinuation { continuation in
      let isDone = shared.withLock { shared in
        if !shared.clients.isEmpty { shared.waiters.append(continuation) }
        return shared.clients.isEmpty
      }
      if isDone { continuation.resume() }
    }
  }

  /// Takes a client in.
  ///
  /// - Parameter observer: told what becomes of the export from now on.
  /// - Returns: what to detach it by; nil when the export has ended.
  public func attach(
    _ client: ExportClient, observer: @escaping @Sendable (ExportEvent) -> Void
  ) -> UInt64? {
    shared.withLock { shared in
      guard shared.endReason == nil else { return nil }
      shared.nextIdentifier += 1
      shared.clients[shared.nextIdentifier] = Client(description: client, observer: observer)
      return shared.nextIdentifier
    }
  }

  /// Lets a client go: none of its requests is with the device any more.
  public func detach(_ identifier: UInt64) {
    let waiters = shared.withLock { shared -> [UnsafeContinuation<Void, Never>] in
      guard shared.clients.removeValue(forKey: identifier) != nil, shared.clients.isEmpty else { return [] }
      let waiters = shared.waiters
      shared.waiters = []
      return waiters
    }
    for waiter in waiters { waiter.resume() }
  }

  /// Tells what becomes of the export, until it is removed; for owners and lists. Clients attach.
  public func addObserver(_ observer: @escaping @Sendable (ExportEvent) -> Void) -> UInt64 {
    shared.withLock { $0.observers.add(observer) }
  }

  public func removeObserver(_ identifier: UInt64) { shared.withLock { $0.observers.remove(identifier) } }
}
