import Glibc
import NVMeProtocol
import NVMeTCPProtocol
import Synchronization
import TestSupport

/// A target on blocking sockets and threads of its own, that does everything right but where its script says otherwise.
final class HostileTarget: @unchecked Sendable {
  /// What is done instead of sending a PDU.
  enum Deed: Sendable {
    case send([UInt8])
    /// Nothing any more on this connection, which stays open.
    case silence
    case close
    /// Closed with a reset.
    case reset
  }

  /// - Parameters:
  ///   - connection: 0 for the admin queue's, from 1 for those of I/O queues.
  ///   - index: of the PDU on this connection, from 0 (ICResp).
  ///   - pdu: what a good target sends.
  typealias Script = @Sendable (_ connection: Int, _ index: Int, _ pdu: [UInt8]) -> [Deed]

  struct Record: Sendable {
    /// PDUs that a good target would have sent, by connection.
    var pdus: [[[UInt8]]] = []
    /// Termination requests that came.
    var terminations: [TerminationRequest] = []
    /// Connections whose end the host brought about, or was told of, within the patience.
    var endedCount = 0
    var acceptedCount = 0
  }

  static let blockByteCount = 4096
  /// Larger writes than this wait for an R2T.
  static let inCapsuleByteCount = 1024

  let port: UInt16
  private let listening: Int32
  private let script: Script
  private let record = Mutex(Record())
  private let threads = Mutex<[TestThread]>([])

  init(script: @escaping Script = { _, _, pdu in [.send(pdu)] }) throws {
    self.script = script
    let listener = try LoopbackListener(backlog: 16)
    listening = listener.descriptor
    port = listener.port
    start { $0.acceptAll() }
  }

  private func start(_ body: @escaping @Sendable (HostileTarget) -> Void) {
    let thread = TestThread { [self] in body(self) }
    threads.withLock { $0.append(thread) }
  }

  private func acceptAll() {
    var number = 0
    while true {
      let descriptor = accept(listening, nil, nil)
      if descriptor < 0 && errno == EINTR { continue }
      guard descriptor >= 0 else { return }
      // Against hanging for ever: far longer than anything here takes.
      var patience = timeval(tv_sec: 30, tv_usec: 0)
      setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
      setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
      let connection = number
      number += 1
      record.withLock {
        $0.acceptedCount += 1
        $0.pdus.append([])
      }
      start { $0.serve(descriptor, connection) }
    }
  }

  /// Waits for the end of all connections, and closes the door.
  func stop() -> Record {
    shutdown(listening, Int32(SHUT_RDWR))
    while let thread = threads.withLock({ $0.popLast() }) { thread.join() }
    close(listening)
    return record.withLock { $0 }
  }

  // MARK: One connection

  private enum End: Error {
    case host
    case script
    case patience
  }

  private func serve(_ descriptor: Int32, _ number: Int) {
    var connection = Connection(descriptor: descriptor, number: number)
    do throws(End) {
      while true { try answer(readPDU(&connection), &connection) }
    } catch {
      if error != .patience { record.withLock { $0.endedCount += 1 } }
      if connection.resets {
        var value = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, socklen_t(MemoryLayout<linger>.size))
      }
      close(descriptor)
    }
  }

  private struct Connection {
    var descriptor: Int32
    var number: Int
    var index = 0
    var isSilent = false
    var resets = false
    var controllerConfiguration: UInt32 = 0
    var pendingWrites: [UInt16: Int] = [:]
    var parameters: ConnectionParameters = {
      var parameters = ConnectionParameters()
      parameters.initialized = true
      return parameters
    }()
  }

  private func read(_ connection: Connection, _ count: Int) throws(End) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var position = 0
    while position < count {
      let got = bytes.withUnsafeMutableBytes {
        recv(connection.descriptor, $0.baseAddress! + position, count - position, 0)
      }
      if got < 0 && errno == EINTR { continue }
      if got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) { throw .patience }
      guard got > 0 else { throw .host }
      position += got
    }
    return bytes
  }

  private func readPDU(_ connection: inout Connection) throws(End) -> [UInt8] {
    let start = try read(connection, 8)
    let length = start[4...7].enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    guard (8...(1 << 20)).contains(length) else { throw .host }
    return start + (try read(connection, length - 8))
  }

  private func write(_ bytes: [UInt8], _ connection: Connection) throws(End) {
    var position = 0
    while position < bytes.count {
      let sent = bytes.withUnsafeBytes {
        send(connection.descriptor, $0.baseAddress! + position, bytes.count - position, Int32(MSG_NOSIGNAL))
      }
      if sent < 0 && errno == EINTR { continue }
      guard sent > 0 else { throw .host }
      position += sent
    }
  }

  /// Sends a PDU, or what the script makes of it.
  private func emit(_ pdu: [UInt8], _ connection: inout Connection) throws(End) {
    guard !connection.isSilent else { return }
    record.withLock { $0.pdus[connection.number].append(pdu) }
    let deeds = script(connection.number, connection.index, pdu)
    connection.index += 1
    for deed in deeds {
      switch deed {
      case .send(let bytes): try write(bytes, connection)
      case .silence:
        connection.isSilent = true
        return
      case .close: throw .script
      case .reset:
        connection.resets = true
        throw .script
      }
    }
  }

  private func answer(_ pdu: [UInt8], _ connection: inout Connection) throws(End) {
    switch PDUType(rawValue: pdu[0]) {
    case .initializeConnectionRequest:
      let response = ICResponse(digests: [], controllerPDUDataAlignment: 0, maximumH2CDataLength: 8192)
      try emit(Self.bytes(ICResponse.byteCount, response.store(to:)), &connection)
    case .capsuleCommand:
      let entry = pdu.withUnsafeBytes { SubmissionQueueEntry(loading: $0.baseAddress! + 8) }
      try carryOut(entry, hasData: pdu.count > 72, &connection)
    case .hostToControllerData:
      let header = pdu.withUnsafeBytes { H2CDataHeader(loading: $0.baseAddress!) }
      if header.common.flags.contains(.last) { try respond(header.commandIdentifier, &connection) }
    case .hostToControllerTerminationRequest:
      let request = pdu.withUnsafeBytes { TerminationRequest(loading: $0.baseAddress!) }
      record.withLock { $0.terminations.append(request) }
    default:
      break
    }
  }

  private func carryOut(_ entry: SubmissionQueueEntry, hasData: Bool, _ connection: inout Connection) throws(End) {
    let identifier = entry.commandIdentifier
    if entry.opcode == 0x7F {
      try carryOutFabrics(entry, &connection)
      return
    }
    guard connection.number == 0 else {
      let byteCount = entry.blockCount * Self.blockByteCount
      switch entry.opcode {
      case 1 where !hasData:
        try emit(Self.readyToTransfer(identifier, offset: 0, length: byteCount), &connection)
      case 2:
        try emit(Self.data(identifier, offset: 0, [UInt8](repeating: 0x5A, count: byteCount)), &connection)
        try respond(identifier, &connection)
      default:
        try respond(identifier, &connection)
      }
      return
    }
    switch entry.opcode {
    case 0x06:
      try emit(Self.data(identifier, offset: 0, Self.identify(entry)), &connection)
      try respond(identifier, &connection)
    case 0x09:
      try respond(identifier, &connection)
    case 0x0C:
      // Asynchronous event requests wait.
      break
    default:
      try respond(identifier, &connection)
    }
  }

  private func carryOutFabrics(_ entry: SubmissionQueueEntry, _ connection: inout Connection) throws(End) {
    let identifier = entry.commandIdentifier
    switch entry.namespaceIdentifier & 0xFF {
    case 0x00:
      connection.controllerConfiguration = entry.cdw12
      try respond(identifier, &connection)
    case 0x04:
      let result: UInt64
      switch entry.cdw11 {
      case 0x00: result = ControllerCapabilities(maximumQueueEntries: 128, timeoutMilliseconds: 500).rawValue
      case 0x08: result = 0x0001_0400
      default:
        // CSTS: ready when enabled, shut down when that is asked for (CC.SHN).
        let isShuttingDown = connection.controllerConfiguration >> 14 & 3 != 0
        result = UInt64(connection.controllerConfiguration & 1) | (isShuttingDown ? 0b1000 : 0)
      }
      try respond(identifier, result: result, &connection)
    default:
      try respond(identifier, result: 1, &connection)
    }
  }

  private func respond(_ identifier: UInt16, result: UInt64 = 0, _ connection: inout Connection) throws(End) {
    try emit(Self.response(identifier, result: result), &connection)
  }

  private static func identify(_ entry: SubmissionQueueEntry) -> [UInt8] {
    switch entry.cdw10 & 0xFF {
    case 0x00:
      return IdentifyNamespace(blocks: 1024, dataSizeExponent: 12).encode()
    case 0x01:
      var bytes = [UInt8](repeating: 0, count: 4096)
      func put(_ value: UInt32, at offset: Int) {
        for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(index))) }
      }
      // NVMe Base 2.1, figure 312: MDTS, CNTLID, VER, KAS, SQES and CQES, NN, SGLS, IOCCSZ, IORCSZ.
      bytes[77] = 6
      bytes[78] = 1
      put(0x0001_0400, at: 80)
      put(1, at: 320)
      bytes[512] = 0x66
      bytes[513] = 0x44
      put(1, at: 516)
      put(1 | 1 << 20, at: 536)
      put(UInt32(64 + inCapsuleByteCount) / 16, at: 1792)
      put(1, at: 1796)
      return bytes
    case 0x02:
      return NamespaceIdentifierList(entry.namespaceIdentifier == 0 ? [1] : []).encode()
    default:
      return [UInt8](repeating: 0, count: 4096)
    }
  }

  // MARK: PDUs, also for scripts

  private static let parameters: ConnectionParameters = {
    var parameters = ConnectionParameters()
    parameters.initialized = true
    return parameters
  }()

  static func response(_ identifier: UInt16, status: StatusField = .success, result: UInt64 = 0) -> [UInt8] {
    var entry = CompletionQueueEntry(commandIdentifier: identifier, status: status)
    entry.result = result
    return bytes(24) {
      CapsuleResponseHeader(parameters: parameters).store(to: $0)
      entry.store(to: $0 + 8)
    }
  }

  static func data(_ identifier: UInt16, offset: Int, _ content: [UInt8], isLast: Bool = true) -> [UInt8] {
    let header = C2HDataHeader(
      commandIdentifier: identifier, dataOffset: UInt32(offset), dataLength: UInt32(content.count), isLast: isLast,
      isSuccess: false, parameters: parameters)
    return bytes(24, header.store(to:)) + content
  }

  static func readyToTransfer(_ identifier: UInt16, tag: UInt16 = 7, offset: Int, length: Int) -> [UInt8] {
    let header = ReadyToTransferHeader(
      commandIdentifier: identifier, transferTag: tag, offset: UInt32(offset), length: UInt32(length),
      parameters: parameters)
    return bytes(24, header.store(to:))
  }

  static func termination(_ status: FatalErrorStatus) -> [UInt8] {
    let request = TerminationRequest(
      sender: .controller, fatalErrorStatus: status, fatalErrorInformation: 0, offendingHeaderByteCount: 0)
    return bytes(24, request.store(to:))
  }

  private static func bytes(_ count: Int, _ store: (UnsafeMutableRawPointer) -> Void) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    bytes.withUnsafeMutableBytes { store($0.baseAddress!) }
    return bytes
  }
}
