internal import NVMeHost
internal import NVMeProtocol
internal import NVMeTCPProtocol

/// An admin queue of the raw client, with what cases need again and again. One thread's.
final class RawController {
  let target: ConformanceTarget
  let admin: RawConnection
  let controllerIdentifier: UInt16

  /// Connects the admin queue; the controller is not enabled yet.
  init(
    _ target: ConformanceTarget, keepAliveTimeoutMilliseconds: UInt32 = 0, request: ICRequest = ICRequest(),
    port: UInt16? = nil
  ) throws {
    self.target = target
    admin = try RawConnection(target, port: port)
    try admin.initialize(request)
    let completion = try admin.execute(
      .fabricsConnect(
        queueIdentifier: 0, entries: 32, keepAliveTimeoutMilliseconds: keepAliveTimeoutMilliseconds),
      writing: RawConnectData(target).bytes, "connecting the admin queue")
    // A port of subsystems need not have a discovery service, too.
    if target.subsystemNQN == NVMeQualifiedName.discovery, completion.status.matches(.connectInvalidParameters) {
      throw ConformanceSkip("the target has no discovery service on this port")
    }
    try expectStatus(completion, .success, of: "Connect of the admin queue")
    controllerIdentifier = UInt16(truncatingIfNeeded: completion.entry.dword0)
  }

  func property(_ property: ControllerProperty) throws -> UInt64 {
    let completion = try admin.execute(.propertyGet(property), "getting the property at \(property.offset)")
    try expectStatus(completion, .success, of: "Property Get of \(Self.place(property))")
    return completion.entry.result
  }

  func set(_ property: ControllerProperty, to value: UInt64) throws {
    let completion = try admin.execute(.propertySet(property, value: value), "setting the property")
    try expectStatus(completion, .success, of: "Property Set of \(Self.place(property))")
  }

  private static func place(_ property: ControllerProperty) -> String { String(property.offset, radix: 16) + "h" }

  /// Sets CC.EN with 64-byte and 16-byte entries, and waits for CSTS.RDY within CAP.TO.
  func enable() throws {
    let capabilities = try property(.controllerCapabilities)
    try set(.controllerConfiguration, to: 6 << 16 | 4 << 20 | 1)
    try waitForStatus(within: .milliseconds(500 * max(1, Int64(capabilities >> 24 & 0xFF)))) { $0 & 1 == 1 }
  }

  /// Asks for a normal shutdown and waits for its end (CSTS.SHST 10b).
  func shutDown() throws {
    let configuration = try property(.controllerConfiguration)
    try set(.controllerConfiguration, to: configuration & ~(0b11 << 14) | 0b01 << 14)
    try waitForStatus(within: .seconds(30)) { $0 >> 2 & 0b11 == 0b10 }
  }

  private func waitForStatus(within limit: Duration, _ isThere: (UInt64) -> Bool) throws {
    let deadline = ContinuousClock.now + limit
    while true {
      let status = try property(.controllerStatus)
      if isThere(status) { return }
      guard ContinuousClock.now < deadline else {
        throw ConformanceFailure("the controller's status is still \(String(status, radix: 16))h after \(limit)")
      }
    }
  }

  func identify(_ structure: IdentifyStructure, namespaceIdentifier: UInt32 = 0) throws -> [UInt8] {
    let completion = try admin.execute(
      .identify(structure, namespaceIdentifier: namespaceIdentifier), readByteCount: IdentifyStructure.byteCount,
      "identifying (CNS \(structure.rawValue))")
    try expectStatus(completion, .success, of: "Identify (CNS \(structure.rawValue))")
    try expectEqual(completion.data.count, IdentifyStructure.byteCount, "the length of Identify's data")
    return completion.data
  }

  /// The most data an I/O command may have in its capsule: IOCCSZ in 16-byte units, less the command itself.
  func inCapsuleByteCount() throws -> Int {
    let count = Int(try identify(.controller).littleEndian(at: 1792, count: 4)) * 16 - 64
    guard (0...1 << 24).contains(count) else { throw ConformanceFailure("IOCCSZ says \(count) bytes in the capsule") }
    return count
  }

  /// The most bytes of data that MDTS allows a command; nil where it names no limit that could be tried.
  func maximumTransferByteCount() throws -> Int? {
    let exponent = try identify(.controller)[77]
    // MDTS counts the smallest page: 4096 bytes unless CAP.MPSMIN says otherwise.
    let page = 4096 << Int(try property(.controllerCapabilities) >> 48 & 0xF)
    return exponent == 0 || exponent >= 20 ? nil : page << Int(exponent)
  }

  /// Sets Number of Queues (feature 07h) to one pair, as a host must before it connects I/O queues.
  func requestOneQueue() throws {
    let completion = try admin.execute(.setFeatures(.numberOfQueues, value: 0), "setting the number of queues")
    try expectStatus(completion, .success, of: "Set Features (Number of Queues)")
  }

  /// Connects an I/O queue and returns it with Connect's end, whatever that is.
  func connectQueue(
    _ identifier: UInt16, entries: UInt16 = 32, request: ICRequest = ICRequest(), hasFlowControl: Bool = true,
    changing change: (inout RawConnectData) -> Void = { _ in }
  ) throws -> (RawConnection, RawCompletion) {
    let connection = try RawConnection(target)
    connection.controller = self
    connection.hasFlowControl = hasFlowControl
    try connection.initialize(request)
    var data = RawConnectData(target)
    data.controllerIdentifier = controllerIdentifier
    change(&data)
    let completion = try connection.execute(
      .fabricsConnect(
        queueIdentifier: identifier, entries: entries, disableSubmissionQueueFlowControl: !hasFlowControl),
      writing: data.bytes,
      "connecting I/O queue \(identifier)")
    return (connection, completion)
  }

  /// Enables the controller and connects I/O queue 1.
  func readyQueue(entries: UInt16 = 32, request: ICRequest = ICRequest()) throws -> RawConnection {
    try enable()
    try requestOneQueue()
    let (connection, completion) = try connectQueue(1, entries: entries, request: request)
    try expectStatus(completion, .success, of: "Connect of I/O queue 1")
    // To find that IOCCSZ makes no sense is for the case about it; such a target gets nothing in capsules.
    connection.inCapsuleByteCount = (try? inCapsuleByteCount()) ?? 0
    return connection
  }
}
