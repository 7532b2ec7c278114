internal import Logging
internal import NVMeProtocol
internal import RingReactor

/// All of a target that lives on its reactor's thread.
final class TargetCore {
  unowned(unsafe) let reactor: Reactor
  let configuration: TargetConfiguration
  let logger: Logger?
  let maximumTransferByteCount: Int
  /// I/O queues of controllers that connect from now on.
  private(set) var maximumIOQueues: Int
  /// What null namespaces read as.
  let zeroes: MemoryRegion

  private(set) var subsystems: [String: TargetSubsystem] = [:]
  private(set) var listeners: [UInt16: TargetListener] = [:]
  private var referrals: [DiscoveryReferral] = []
  private var controllers: [UInt16: TargetController] = [:]
  private var connections: [ObjectIdentifier: TargetConnection] = [:]
  private var nextControllerIdentifier: UInt16 = 1
  private var discoveryGeneration: UInt64 = 1
  /// Namespaces that were removed, each with the connections that may still move data out of their memory or into it.
  private var removedNamespaces: [(namespace: TargetNamespace, users: Set<ObjectIdentifier>)] = []

  var faults: FaultRules
  private var stopCompletion: (() -> Void)?

  enum ConnectResult {
    case accepted(UInt16)
    case refused(StatusField, UInt32)
  }

  init(reactor: Reactor, configuration: TargetConfiguration, seed: UInt64, logger: Logger?) throws(TargetError) {
    if let problem = configuration.problem { throw TargetError(problem) }
    self.reactor = reactor
    self.configuration = configuration
    self.logger = logger
    maximumTransferByteCount = configuration.maximumTransferByteCount
    maximumIOQueues = configuration.maximumIOQueues
    do { zeroes = try MemoryRegion(byteCount: 1 << 20, isReadOnly: true) } catch { throw TargetError("\(error)") }
    faults = FaultRules(seed: seed)
  }

  /// The discovery subsystem's own name; hosts may use the well-known one as well (NVMe Base 2.1, section 3.1.3.3).
  var discoveryNQN: String { configuration.discoveryNQN ?? DiscoveryReferral.wellKnownNQN }

  private func isDiscovery(_ nqn: String) -> Bool { nqn == discoveryNQN || nqn == DiscoveryReferral.wellKnownNQN }

  func log(_ message: @autoclosure () -> String, connection: TargetConnection) {
    guard let logger else { return }
    let queue = connection.st.pointee.queueIdentifier
    logger.info("port \(connection.port.identifier), queue \(queue): \(message())")
  }

  // MARK: Ports

  func addPort(_ configuration: PortConfiguration) throws -> (identifier: UInt16, address: SocketAddress) {
    var identifier = configuration.identifier
    if identifier == 0 {
      identifier = (1...UInt16.max).first { listeners[$0] == nil } ?? 0
    }
    guard identifier != 0, listeners[identifier] == nil else {
      throw TargetError("there is a port \(configuration.identifier) already")
    }
    guard let address = SocketAddress(numericHost: configuration.host, port: configuration.port) else {
      throw TargetError("a port's host is a numeric address, not \(configuration.host)")
    }
    let port = TargetPort(identifier: identifier, configuration: configuration)
    let listener = try TargetListener(reactor: reactor, core: self, port: port, address: address)
    listeners[identifier] = listener
    discoveryChanged()
    return (identifier, listener.address)
  }

  /// Stops listening and drops the port's connections.
  func removePort(_ identifier: UInt16) throws {
    guard let listener = listeners.removeValue(forKey: identifier) else {
      throw TargetError("there is no port \(identifier)")
    }
    listener.close()
    for connection in Array(connections.values) where connection.port === listener.port { connection.close() }
    discoveryChanged()
  }

  func setANAState(_ state: ANAState, group: UInt32, port identifier: UInt16) throws {
    guard (1...TargetPort.maximumAccessGroup).contains(group) else {
      throw TargetError("an ANA group is 1...\(TargetPort.maximumAccessGroup), not \(group)")
    }
    guard let port = listeners[identifier]?.port else { throw TargetError("there is no port \(identifier)") }
    guard port.accessStates[Int(group)] != state.rawValue else { return }
    port.accessStates[Int(group)] = state.rawValue
    for subsystem in subsystems.values where port.offers(subsystem.nqn) && subsystem.accessGroups.contains(group) {
      subsystem.accessChangeCount += 1
      for controller in subsystem.controllers where controller.port === port { controller.notify(.accessStateChanged) }
    }
  }

  // MARK: Subsystems

  func addSubsystem(_ configuration: SubsystemConfiguration) throws {
    guard (1...223).contains(configuration.nqn.utf8.count) else {
      throw TargetError("an NQN has 1...223 bytes, not \(configuration.nqn.utf8.count)")
    }
    guard subsystems[configuration.nqn] == nil, !isDiscovery(configuration.nqn) else {
      throw TargetError("there is a subsystem \(configuration.nqn) already")
    }
    let subsystem = TargetSubsystem(
      configuration: configuration, maximumNamespaceIdentifier: self.configuration.maximumNamespaceIdentifier)
    for (identifier, namespace) in configuration.namespaces.sorted(by: { $0.key < $1.key }) {
      subsystem.add(try makeNamespace(identifier, namespace, subsystem))
    }
    subsystems[configuration.nqn] = subsystem
    discoveryChanged()
  }

  func removeSubsystem(_ nqn: String) throws {
    let subsystem = try self.subsystem(nqn)
    subsystems[nqn] = nil
    for controller in Array(subsystem.controllers) { controller.fail() }
    retire(subsystem.removeAll())
    discoveryChanged()
  }

  func setAllowedHosts(_ hosts: Set<String>?, of nqn: String) throws {
    try subsystem(nqn).configuration.allowedHosts = hosts
    discoveryChanged()
  }

  private func subsystem(_ nqn: String) throws(TargetError) -> TargetSubsystem {
    guard let subsystem = subsystems[nqn] else { throw TargetError("there is no subsystem \(nqn)") }
    return subsystem
  }

  private func makeNamespace(
    _ identifier: UInt32, _ configuration: NamespaceConfiguration, _ subsystem: TargetSubsystem
  ) throws(TargetError) -> TargetNamespace {
    guard (1...self.configuration.maximumNamespaceIdentifier).contains(identifier) else {
      throw TargetError(
        "a namespace identifier is 1...\(self.configuration.maximumNamespaceIdentifier), not \(identifier)")
    }
    guard subsystem.namespaces[identifier] == nil, !subsystem.isDisabled(identifier) else {
      throw TargetError("\(subsystem.nqn) has a namespace \(identifier) already")
    }
    let namespace = try TargetNamespace(
      identifier: identifier, subsystemNQN: subsystem.nqn, configuration: configuration)
    if namespace.unservedByteCount > 0 {
      logger?.warning(
        "namespace \(identifier): the last \(namespace.unservedByteCount) bytes are less than a block, and not served")
    }
    return namespace
  }

  func addNamespace(_ identifier: UInt32, _ configuration: NamespaceConfiguration, to nqn: String) throws {
    let subsystem = try subsystem(nqn)
    subsystem.add(try makeNamespace(identifier, configuration, subsystem))
    subsystem.accessChangeCount += 1
    notifyNamespaceChange(identifier, subsystem)
  }

  func removeNamespace(_ identifier: UInt32, from nqn: String) throws {
    let subsystem = try subsystem(nqn)
    guard let namespace = subsystem.remove(identifier) else {
      throw TargetError("\(nqn) has no namespace \(identifier)")
    }
    retire([namespace])
    subsystem.accessChangeCount += 1
    notifyNamespaceChange(identifier, subsystem)
  }

  /// Keeps namespaces that were removed until nobody uses their memory any more.
  private func retire(_ namespaces: [TargetNamespace]) {
    let users = Set(connections.filter { $0.value.mayUseNamespaces }.keys)
    removedNamespaces += namespaces.map { ($0, users) }
    releaseRemovedNamespaces()
  }

  /// Commands that begin now find the namespaces gone: a connection that has none under way has done with them.
  private func releaseRemovedNamespaces() {
    guard !removedNamespaces.isEmpty else { return }
    let users = Set(connections.filter { $0.value.mayUseNamespaces }.keys)
    for position in removedNamespaces.indices { removedNamespaces[position].users.formIntersection(users) }
    removedNamespaces.removeAll { $0.users.isEmpty }
  }

  /// Takes a namespace away with what it holds, or brings it back, and tells connected hosts.
  func setNamespace(_ identifier: UInt32, of nqn: String, isEnabled: Bool) throws {
    let subsystem = try subsystem(nqn)
    guard isEnabled ? subsystem.enable(identifier) : subsystem.disable(identifier) else {
      throw TargetError("\(nqn) has no namespace \(identifier) that is \(isEnabled ? "disabled" : "enabled")")
    }
    subsystem.accessChangeCount += 1
    notifyNamespaceChange(identifier, subsystem)
  }

  func resizeNamespace(_ identifier: UInt32, of nqn: String, byteCount: UInt64) throws {
    let (subsystem, namespace) = try namespace(identifier, of: nqn)
    try namespace.resize(byteCount: byteCount)
    subsystem.refresh(namespace)
    notifyNamespaceChange(identifier, subsystem)
  }

  func setAccessGroup(_ group: UInt32, ofNamespace identifier: UInt32, of nqn: String) throws {
    guard (1...TargetPort.maximumAccessGroup).contains(group) else {
      throw TargetError("an ANA group is 1...\(TargetPort.maximumAccessGroup), not \(group)")
    }
    let (subsystem, namespace) = try namespace(identifier, of: nqn)
    namespace.accessGroup = group
    subsystem.refresh(namespace)
    subsystem.accessChangeCount += 1
    // A changed ANAGRPID is told by this notice, not by that of attributes (NVMe Base 2.1, section 8.1.1.9).
    for controller in subsystem.controllers { controller.notify(.accessStateChanged) }
  }

  private func namespace(_ identifier: UInt32, of nqn: String) throws(TargetError) -> (TargetSubsystem, TargetNamespace)
  {
    let subsystem = try subsystem(nqn)
    guard let namespace = subsystem.namespaces[identifier] else {
      throw TargetError("\(nqn) has no namespace \(identifier)")
    }
    return (subsystem, namespace)
  }

  private func notifyNamespaceChange(_ identifier: UInt32, _ subsystem: TargetSubsystem) {
    for controller in subsystem.controllers { controller.namespaceChanged(identifier) }
  }

  /// Bytes of a memory namespace, for tests that look at what has been written.
  func readNamespace(_ identifier: UInt32, of nqn: String, offset: UInt64, byteCount: Int) throws -> [UInt8] {
    let (_, namespace) = try namespace(identifier, of: nqn)
    guard let base = namespace.view.base else {
      throw TargetError("namespace \(identifier) is not in memory")
    }
    guard byteCount >= 0, offset <= namespace.byteCount, UInt64(byteCount) <= namespace.byteCount - offset else {
      throw TargetError("namespace \(identifier) has \(namespace.byteCount) bytes")
    }
    return Array(UnsafeRawBufferPointer(start: base + Int(offset), count: byteCount))
  }

  func writeNamespace(_ identifier: UInt32, of nqn: String, offset: UInt64, bytes: [UInt8]) throws {
    let (_, namespace) = try namespace(identifier, of: nqn)
    guard let base = namespace.view.base else {
      throw TargetError("namespace \(identifier) is not in memory")
    }
    guard offset <= namespace.byteCount, UInt64(bytes.count) <= namespace.byteCount - offset else {
      throw TargetError("namespace \(identifier) has \(namespace.byteCount) bytes")
    }
    (base + Int(offset)).copyMemory(from: bytes, byteCount: bytes.count)
  }

  // MARK: Connections

  func setMaximumIOQueues(_ count: Int) throws {
    var changed = configuration
    changed.maximumIOQueues = count
    if let problem = changed.problem { throw TargetError(problem) }
    maximumIOQueues = count
  }

  func accepted(fileDescriptor: Int32, port: TargetPort) {
    let connection = TargetConnection(reactor: reactor, core: self, port: port, fileDescriptor: fileDescriptor)
    connections[ObjectIdentifier(connection)] = connection
    if connections.count > configuration.maximumConnections { makeRoom(for: connection) }
    if stopCompletion != nil { connection.close() }
    if !connection.st.pointee.isClosing { connection.start() }
  }

  /// Connections without Connect are not to keep others out until their time is over, whether they have said ICReq or nothing.
  private func makeRoom(for newcomer: TargetConnection) {
    let open = connections.values.filter { !$0.st.pointee.isClosing }
    guard open.count > configuration.maximumConnections else { return }
    let idle = open.filter { !$0.st.pointee.isConnected && $0 !== newcomer }
    let oldest = idle.min { $0.st.pointee.handshakeDeadline < $1.st.pointee.handshakeDeadline }
    (oldest ?? newcomer).close()
  }

  func connectionClosed(_ connection: TargetConnection) {
    connections[ObjectIdentifier(connection)] = nil
    releaseRemovedNamespaces()
    finishStop()
  }

  /// Drops connections from the target's side: all, or those of one subsystem.
  func closeConnections(subsystemNQN: String?, reset: Bool) -> Int {
    var count = 0
    for connection in Array(connections.values) {
      if let subsystemNQN, connection.controller?.subsystem?.nqn != subsystemNQN { continue }
      connection.close(reset: reset)
      count += 1
    }
    return count
  }

  /// Connect (NVMe Base 2.1, section 6.3).
  func connect(_ connection: TargetConnection, fields: ConnectFields, data: UnsafeRawPointer) -> ConnectResult {
    guard fields.recordFormat == 0 else { return .refused(.connectIncompatibleFormat.withDoNotRetry, 0) }
    let hostIdentifier = Array(UnsafeRawBufferPointer(start: data, count: 16))
    let controllerIdentifier = UInt16(littleEndian: data.loadUnaligned(fromByteOffset: 16, as: UInt16.self))
    guard let subsystemNQN = Self.nqn(at: data + 256) else { return Self.invalid(dataOffset: 256) }
    guard let hostNQN = Self.nqn(at: data + 512) else { return Self.invalid(dataOffset: 512) }
    // MQES bounds I/O queues; an admin queue of 32 entries is every host's right (figure 294, ASQSZ).
    let maximumEntries =
      fields.queueIdentifier == 0 ? max(32, configuration.maximumQueueEntries) : configuration.maximumQueueEntries
    guard fields.submissionQueueSize >= 1, fields.entries <= maximumEntries else {
      return Self.invalid(commandOffset: 44)
    }
    if fields.queueIdentifier != 0 {
      return connectIOQueue(
        connection, fields, controllerIdentifier: controllerIdentifier, subsystemNQN: subsystemNQN, hostNQN: hostNQN,
        hostIdentifier: hostIdentifier)
    }
    let isDiscovery = isDiscovery(subsystemNQN)
    let subsystem = subsystems[subsystemNQN]
    guard isDiscovery || (subsystem != nil && connection.port.offers(subsystemNQN)) else {
      return Self.invalid(dataOffset: 256)
    }
    guard subsystem?.allows(host: hostNQN) ?? true else { return .refused(.connectInvalidHost.withDoNotRetry, 0) }
    // The dynamic controller model: the host does not choose (section 3.1.2).
    guard controllerIdentifier == 0xFFFF else { return Self.invalid(dataOffset: 16) }
    guard controllers.count < configuration.maximumControllers, let identifier = freeControllerIdentifier() else {
      return .refused(.connectControllerBusy, 0)
    }
    let controller = TargetController(
      identifier: identifier, subsystem: subsystem, port: connection.port, hostNQN: hostNQN,
      hostIdentifier: hostIdentifier, keepAliveMilliseconds: fields.keepAliveTimeoutMilliseconds, core: self)
    controllers[identifier] = controller
    subsystem?.controllers.append(controller)
    connection.become(queue: 0, of: controller, fields: fields)
    log("controller \(identifier) for \(hostNQN)", connection: connection)
    return .accepted(identifier)
  }

  private func connectIOQueue(
    _ connection: TargetConnection, _ fields: ConnectFields, controllerIdentifier: UInt16, subsystemNQN: String,
    hostNQN: String, hostIdentifier: [UInt8]
  ) -> ConnectResult {
    guard let controller = controllers[controllerIdentifier] else { return Self.invalid(dataOffset: 16) }
    guard let subsystem = controller.subsystem, subsystem.nqn == subsystemNQN else {
      return Self.invalid(dataOffset: 256)
    }
    guard controller.hostNQN == hostNQN else { return Self.invalid(dataOffset: 512) }
    guard controller.hostIdentifier == hostIdentifier else { return Self.invalid(dataOffset: 0) }
    guard controller.isReady else { return .refused(.commandSequenceError.withDoNotRetry, 0) }
    guard Int(fields.queueIdentifier) <= controller.grantedIOQueues else { return Self.invalid(commandOffset: 42) }
    // A queue that exists (NVMe Base 2.1, section 3.3.2.3).
    guard controller.queues[fields.queueIdentifier] == nil else {
      return .refused(.commandSequenceError.withDoNotRetry, 0)
    }
    connection.become(queue: fields.queueIdentifier, of: controller, fields: fields)
    return .accepted(controllerIdentifier)
  }

  /// Connect Invalid Parameters, with the offset (IPO) of the field in the data (IATTR 1) or in the command.
  private static func invalid(dataOffset: UInt32) -> ConnectResult {
    .refused(.connectInvalidParameters.withDoNotRetry, dataOffset | 1 << 16)
  }

  private static func invalid(commandOffset: UInt32) -> ConnectResult {
    .refused(.connectInvalidParameters.withDoNotRetry, commandOffset)
  }

  /// An NQN of at most 223 bytes in a field of 256; nil where it is none.
  private static func nqn(at data: UnsafeRawPointer) -> String? {
    let field = UnsafeRawBufferPointer(start: data, count: 256)
    guard let end = field.firstIndex(of: 0), (1...223).contains(end) else { return nil }
    return String(validating: field[..<end], as: UTF8.self)
  }

  private func freeControllerIdentifier() -> UInt16? {
    // FFF0h and above are reserved.
    for _ in 0..<0xFFEF {
      let candidate = nextControllerIdentifier
      nextControllerIdentifier = candidate == 0xFFEF ? 1 : candidate + 1
      if controllers[candidate] == nil { return candidate }
    }
    return nil
  }

  /// The admin queue is gone: so are the controller and its I/O queues.
  func remove(_ controller: TargetController, reset: Bool) {
    controllers[controller.identifier] = nil
    controller.subsystem?.controllers.removeAll { $0 === controller }
    for connection in Array(controller.queues.values) { connection.close(reset: reset) }
  }

  // MARK: Discovery

  func setReferrals(_ referrals: [DiscoveryReferral]) {
    self.referrals = referrals
    discoveryChanged()
  }

  private func discoveryChanged() {
    discoveryGeneration += 1
    for controller in controllers.values where controller.isDiscovery { controller.notify(.discoveryLogChanged) }
  }

  /// NVMe Base 2.1, figures 294 and 296.
  func discoveryLog(for controller: TargetController) -> [UInt8] {
    let entries = discoveryEntries(for: controller)
    let byteCount = 1024 * (1 + entries.count)
    return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      let writer = DataWriter(UnsafeMutableRawPointer(buffer.baseAddress!), byteCount: byteCount)
      writer.put(discoveryGeneration, at: 0)
      writer.put(UInt64(entries.count), at: 8)
      for (position, entry) in entries.enumerated() {
        let offset = 1024 * (position + 1)
        writer.put(entry.transportType, at: offset)
        // ADRFAM: 1 IPv4, 2 IPv6.
        writer.put(UInt8(entry.host.utf8.contains(UInt8(ascii: ":")) ? 2 : 1), at: offset + 1)
        writer.put(entry.subsystemType, at: offset + 2)
        writer.put(entry.portIdentifier, at: offset + 4)
        // CNTLID: dynamic; ASQSZ.
        writer.put(UInt16(0xFFFF), at: offset + 6)
        writer.put(UInt16(32), at: offset + 8)
        writer.put(entry.flags, at: offset + 10)
        writer.put(text: entry.service, at: offset + 32, count: 32, filler: 0x20)
        writer.put(text: entry.nqn, at: offset + 256, count: 256, filler: 0)
        writer.put(text: entry.host, at: offset + 512, count: 256, filler: 0x20)
      }
      count = byteCount
    }
  }

  private func discoveryEntries(for controller: TargetController) -> [DiscoveryReferral] {
    var entries: [DiscoveryReferral] = []
    for (_, listener) in listeners.sorted(by: { $0.key < $1.key }) {
      let port = listener.port
      var host = port.configuration.advertisedHost ?? port.host
      if port.configuration.advertisedHost == nil && (host == "0.0.0.0" || host == "::") {
        host = controller.admin?.localHost ?? host
      }
      func add(_ nqn: String, type: UInt8, flags: UInt16 = 0) {
        var entry = DiscoveryReferral(
          nqn: nqn, host: host, service: "\(port.port)", portIdentifier: port.identifier)
        entry.subsystemType = type
        entry.flags = flags
        entries.append(entry)
      }
      // The discovery subsystem the host is talking to; EFLAGS.EPCSD: hosts may stay connected.
      if port === controller.port { add(discoveryNQN, type: 3, flags: 1 << 1) }
      for (nqn, subsystem) in subsystems.sorted(by: { $0.key < $1.key })
      where port.offers(nqn) && subsystem.allows(host: controller.hostNQN) {
        add(nqn, type: 2)
      }
    }
    return entries + referrals
  }

  // MARK: The end

  /// Closes everything; `completion` is called when nothing of the target is in the kernel's hands any more.
  func stop(_ completion: @escaping () -> Void) {
    guard stopCompletion == nil else {
      completion()
      return
    }
    stopCompletion = completion
    for listener in Array(listeners.values) { listener.close() }
    for connection in Array(connections.values) { connection.close() }
    finishStop()
  }

  func listenerClosed(_ listener: TargetListener) {
    if listeners[listener.port.identifier] === listener { listeners[listener.port.identifier] = nil }
    finishStop()
  }

  private func finishStop() {
    guard let completion = stopCompletion, connections.isEmpty, listeners.isEmpty else { return }
    stopCompletion = {}
    completion()
  }
}
