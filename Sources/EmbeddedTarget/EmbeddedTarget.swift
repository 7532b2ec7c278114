public import Logging
public import NVMeProtocol
public import RingReactor
internal import Synchronization

/// An NVMe/TCP target inside the process, on the same ring code as the initiator.
///
/// It is for tests, demonstrations and benchmarks: data in memory is gone with it, there is no security, and it lives on
/// one thread. Do not put data on it that you want to keep.
///
/// All methods may be called from any thread and any task; they are carried out on the target's reactor, in the order
/// of their calls. Ports, subsystems, namespaces, ANA states and faults may be changed while hosts are connected, who
/// are told as the specification says.
public final class EmbeddedTarget: Sendable {
  /// The core lives on the reactor's thread and is only touched there.
  private struct CoreReference: @unchecked Sendable {
    let core: TargetCore
  }

  private let handle: ReactorHandle
  private let reference: CoreReference
  /// The target's own thread, where it has one.
  private let thread: ReactorThread?
  private let hasStopped = Atomic<Bool>(false)

  private init(handle: ReactorHandle, reference: CoreReference, thread: ReactorThread?) {
    self.handle = handle
    self.reference = reference
    self.thread = thread
  }

  deinit {
    // Not stopped: the core outlives this object until its connections are closed, then the thread ends itself.
    guard !hasStopped.load(ordering: .acquiring) else { return }
    let reference = reference
    let thread = thread
    handle.post { _ in
      reference.core.stop {
        withExtendedLifetime(reference) {}
        thread?.stop()
      }
    }
  }

  /// Makes a target on a reactor that is turned by others; it has no ports and no subsystems yet.
  ///
  /// - Parameters:
  ///   - seed: of the generator that faults' probabilities are drawn from.
  ///   - logger: gets connections, refusals and broken rules, at level info.
  /// - Throws: ``TargetError`` for a configuration out of bounds; `ReactorGone`.
  public static func start(
    on handle: ReactorHandle, configuration: TargetConfiguration = TargetConfiguration(), seed: UInt64 = 0,
    logger: Logger? = nil
  ) async throws -> EmbeddedTarget {
    let reference = try await handle.perform { reactor in
      CoreReference(
        core: try TargetCore(reactor: reactor, configuration: configuration, seed: seed, logger: logger))
    }
    return EmbeddedTarget(handle: handle, reference: reference, thread: nil)
  }

  /// Makes a target on a thread of its own.
  ///
  /// - Throws: as ``start(on:configuration:seed:logger:)``; `RingError` where io_uring cannot be had.
  public static func start(
    waitPolicy: WaitPolicy = .eventDriven, configuration: TargetConfiguration = TargetConfiguration(),
    seed: UInt64 = 0, logger: Logger? = nil
  ) async throws -> EmbeddedTarget {
    let thread = try ReactorThread(name: "nvmeof-target", waitPolicy: waitPolicy)
    let handle = thread.handle
    let reference = try await handle.perform { reactor in
      CoreReference(
        core: try TargetCore(reactor: reactor, configuration: configuration, seed: seed, logger: logger))
    }
    return EmbeddedTarget(handle: handle, reference: reference, thread: thread)
  }

  /// Closes all connections and ports, and ends the target's own thread. The target cannot be started again.
  ///
  /// A target on a reactor of others must be stopped before that reactor goes.
  public func stop() async {
    hasStopped.store(true, ordering: .releasing)
    let reference = reference
    let handle = handle
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
      let isOpen = handle.post { _ in
        reference.core.stop {
          withExtendedLifetime(reference) {}
          continuation.resume()
        }
      }
      if !isOpen { continuation.resume() }
    }
    thread?.stop()
  }

  private func perform<Value: Sendable>(
    _ body: @escaping @Sendable (TargetCore) throws -> Value
  ) async throws -> Value {
    let reference = reference
    return try await handle.perform { _ in try body(reference.core) }
  }

  // MARK: Ports

  /// Where a port listens.
  public struct Port: Sendable, Hashable {
    public var identifier: UInt16
    public var host: String
    public var port: UInt16
  }

  /// Listens on an address; its discovery service answers there, too.
  ///
  /// - Returns: the port, with the number that the kernel chose where 0 was asked for.
  /// - Throws: ``TargetError``; `RingError` where the address cannot be bound.
  @discardableResult
  public func addPort(_ configuration: PortConfiguration = PortConfiguration()) async throws -> Port {
    try await perform { core in
      let (identifier, address) = try core.addPort(configuration)
      return Port(identifier: identifier, host: address.host, port: address.port)
    }
  }

  /// Stops listening and drops the port's connections.
  public func removePort(_ identifier: UInt16) async throws {
    try await perform { try $0.removePort(identifier) }
  }

  /// Sets the state of an ANA group (1...32) as seen through a port, and tells the hosts.
  public func setANAState(_ state: ANAState, group: UInt32, port: UInt16) async throws {
    try await perform { try $0.setANAState(state, group: group, port: port) }
  }

  // MARK: Subsystems

  public func addSubsystem(_ configuration: SubsystemConfiguration) async throws {
    try await perform { try $0.addSubsystem(configuration) }
  }

  /// Removes a subsystem and drops its controllers' connections.
  public func removeSubsystem(_ nqn: String) async throws {
    try await perform { try $0.removeSubsystem(nqn) }
  }

  /// How many I/O queues (1...1024) controllers get that connect from now on.
  public func setMaximumIOQueues(_ count: Int) async throws {
    try await perform { try $0.setMaximumIOQueues(count) }
  }

  /// Which hosts may connect from now on; nil: any.
  public func setAllowedHosts(_ hosts: Set<String>?, of nqn: String) async throws {
    try await perform { try $0.setAllowedHosts(hosts, of: nqn) }
  }

  /// Adds a namespace and tells connected hosts.
  public func addNamespace(
    _ identifier: UInt32, _ configuration: NamespaceConfiguration, to nqn: String
  ) async throws {
    try await perform { try $0.addNamespace(identifier, configuration, to: nqn) }
  }

  /// Removes a namespace and tells connected hosts.
  public func removeNamespace(_ identifier: UInt32, from nqn: String) async throws {
    try await perform { try $0.removeNamespace(identifier, from: nqn) }
  }

  /// Takes a namespace away with what it holds, or brings it back, and tells connected hosts.
  public func setNamespace(_ identifier: UInt32, of nqn: String, isEnabled: Bool) async throws {
    try await perform { try $0.setNamespace(identifier, of: nqn, isEnabled: isEnabled) }
  }

  /// Changes a namespace's size, rounded down to whole blocks, and tells connected hosts.
  public func resizeNamespace(_ identifier: UInt32, of nqn: String, byteCount: UInt64) async throws {
    try await perform { try $0.resizeNamespace(identifier, of: nqn, byteCount: byteCount) }
  }

  /// Moves a namespace to another ANA group (1...32) and tells connected hosts.
  public func setAccessGroup(_ group: UInt32, ofNamespace identifier: UInt32, of nqn: String) async throws {
    try await perform { try $0.setAccessGroup(group, ofNamespace: identifier, of: nqn) }
  }

  /// Bytes of a memory namespace, past all protocol.
  public func readNamespace(
    _ identifier: UInt32, of nqn: String, offset: UInt64, byteCount: Int
  ) async throws -> [UInt8] {
    try await perform { try $0.readNamespace(identifier, of: nqn, offset: offset, byteCount: byteCount) }
  }

  /// Changes bytes of a memory namespace, past all protocol.
  public func writeNamespace(_ identifier: UInt32, of nqn: String, offset: UInt64, bytes: [UInt8]) async throws {
    try await perform { try $0.writeNamespace(identifier, of: nqn, offset: offset, bytes: bytes) }
  }

  // MARK: Discovery

  /// What the discovery log names beside this target's own subsystems.
  public func setReferrals(_ referrals: [DiscoveryReferral]) async throws {
    try await perform { $0.setReferrals(referrals) }
  }

  // MARK: Faults

  /// Has a fault shown from now on.
  ///
  /// - Returns: the rule's name for ``removeFault(_:)`` and ``faultCount(_:)``.
  @discardableResult
  public func addFault(_ rule: FaultRule) async throws -> UInt64 {
    try await perform { $0.faults.add(rule) }
  }

  public func removeFault(_ identifier: UInt64) async throws {
    try await perform { $0.faults.remove(identifier) }
  }

  public func removeAllFaults() async throws {
    try await perform { $0.faults.removeAll() }
  }

  /// How often a rule has acted.
  public func faultCount(_ identifier: UInt64) async throws -> UInt64 {
    try await perform { $0.faults.count(of: identifier) }
  }

  /// Drops connections from the target's side.
  ///
  /// - Parameters:
  ///   - subsystemNQN: only those of this subsystem; nil: all.
  ///   - reset: by RST instead of an orderly end.
  /// - Returns: how many.
  @discardableResult
  public func closeConnections(subsystemNQN: String? = nil, reset: Bool = false) async throws -> Int {
    try await perform { $0.closeConnections(subsystemNQN: subsystemNQN, reset: reset) }
  }
}
