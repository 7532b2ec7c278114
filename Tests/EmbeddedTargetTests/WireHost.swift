import BlockDevice
import EmbeddedTarget
import Glibc
import NVMeTCPProtocol

/// A host that writes and reads PDUs on a blocking socket, right or wrong ones, as a test wants.
final class WireHost {
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  struct PDU {
    var header: PDUCommonHeader
    var bytes: [UInt8]

    var type: PDUType? { header.pduType }
    var data: [UInt8] {
      header.dataOffset == 0 ? [] : Array(bytes[Int(header.dataOffset)..<Int(header.dataOffset) + header.dataLength])
    }
    var completion: CompletionQueueEntry {
      bytes.withUnsafeBytes { CompletionQueueEntry(loading: $0.baseAddress! + 8) }
    }
    var termination: TerminationRequest { bytes.withUnsafeBytes { TerminationRequest(loading: $0.baseAddress!) } }
    var readyToTransfer: ReadyToTransferHeader {
      bytes.withUnsafeBytes { ReadyToTransferHeader(loading: $0.baseAddress!) }
    }
  }

  private let descriptor: Int32
  private(set) var parameters = ConnectionParameters()

  init(_ port: EmbeddedTarget.Port) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw Failure(description: "socket: \(errno)") }
    // Against hanging for ever: far longer than anything here takes.
    var patience = timeval(tv_sec: 30, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.port.bigEndian
    address.sin_addr.s_addr = inet_addr(port.host)
    let code = withUnsafeBytes(of: &address) {
      connect(
        descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(MemoryLayout<sockaddr_in>.size))
    }
    guard code == 0 else { throw Failure(description: "connect: \(errno)") }
  }

  deinit { close(descriptor) }

  func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Failure(description: "send: \(errno)") }
      sent += count
    }
  }

  /// The next PDU; nil at the end of the stream.
  func receive() throws -> PDU? {
    guard let start = try receive(8) else { return nil }
    let header = start.withUnsafeBytes { PDUCommonHeader(loading: $0.baseAddress!) }
    guard header.length >= 8, header.length < 1 << 26 else { throw Failure(description: "PLEN \(header.length)") }
    guard let rest = try receive(Int(header.length) - 8) else {
      throw Failure(description: "the stream ended inside a PDU")
    }
    return PDU(header: header, bytes: start + rest)
  }

  /// So many bytes; nil when the stream ends before the first.
  private func receive(_ count: Int) throws -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var received = 0
    while received < count {
      let result = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + received, count - received, 0) }
      if result == 0 && received == 0 { return nil }
      // With a receive time-out a signal ends the call whatever SA_RESTART says.
      if result < 0 && errno == EINTR { continue }
      guard result > 0 else { throw Failure(description: "recv: \(result) \(errno)") }
      received += result
    }
    return bytes
  }

  func expect() throws -> PDU {
    guard let pdu = try receive() else { throw Failure(description: "the target closed the connection") }
    return pdu
  }

  // MARK: Well-formed conversation

  func initialize(_ request: ICRequest = ICRequest()) throws {
    try send(stored(ICRequest.byteCount, request.store(to:)))
    let pdu = try expect()
    guard pdu.type == .initializeConnectionResponse else { throw Failure(description: "no ICResp") }
    let response = pdu.bytes.withUnsafeBytes { ICResponse(loading: $0.baseAddress!) }
    parameters = ConnectionParameters(request: request, response: response)
  }

  /// A command capsule, without digests.
  func capsule(_ command: SubmissionQueueEntry, data: [UInt8] = []) -> [UInt8] {
    stored(CapsuleCommandHeader.byteCount) {
      CapsuleCommandHeader(dataLength: data.count, parameters: parameters).store(to: $0)
      command.store(to: $0 + 8)
    } + data
  }

  func h2cData(
    _ commandIdentifier: UInt16, tag: UInt16, offset: UInt32, _ data: [UInt8], isLast: Bool
  ) -> [UInt8] {
    let header = H2CDataHeader(
      commandIdentifier: commandIdentifier, transferTag: tag, dataOffset: offset, dataLength: UInt32(data.count),
      isLast: isLast, parameters: parameters)
    return stored(H2CDataHeader.byteCount, header.store(to:)) + data
  }

  /// Sends a command with in-capsule data, or none, and returns its completion and the data that came before it.
  func run(
    _ command: SubmissionQueueEntry, identifier: UInt16 = 1, data: [UInt8] = []
  ) throws -> (completion: CompletionQueueEntry, data: [UInt8]) {
    var command = command
    command.commandIdentifier = identifier
    if !data.isEmpty { command.sgl = .inCapsule(length: UInt32(data.count)) }
    try send(capsule(command, data: data))
    var received: [UInt8] = []
    while true {
      let pdu = try expect()
      switch pdu.type {
      case .controllerToHostData: received += pdu.data
      case .capsuleResponse: return (pdu.completion, received)
      default: throw Failure(description: "unexpected PDU of type \(pdu.header.type)")
      }
    }
  }

  static func connectData(
    nqn: String = TargetFixture.nqn, host: String = "nqn.2026-01.org.example:wire", controller: UInt16 = 0xFFFF
  ) -> [UInt8] {
    var data = [UInt8](repeating: 0, count: 1024)
    data.replaceSubrange(0..<16, with: [UInt8](1...16))
    data[16] = UInt8(truncatingIfNeeded: controller)
    data[17] = UInt8(truncatingIfNeeded: controller >> 8)
    data.replaceSubrange(256..<256 + nqn.utf8.count, with: Array(nqn.utf8))
    data.replaceSubrange(512..<512 + host.utf8.count, with: Array(host.utf8))
    return data
  }

  static func connectCommand(
    queue: UInt16 = 0, size: UInt16 = 31, keepAlive: UInt32 = 0, attributes: UInt8 = 0, recordFormat: UInt16 = 0
  ) -> SubmissionQueueEntry {
    var command = SubmissionQueueEntry(opcode: 0x7F, namespaceIdentifier: 1)
    command.cdw10 = UInt32(recordFormat) | UInt32(queue) << 16
    command.cdw11 = UInt32(size) | UInt32(attributes) << 16
    command.cdw12 = keepAlive
    return command
  }

  /// An admin queue with an enabled controller; returns CNTLID.
  @discardableResult
  func becomeAdmin(nqn: String = TargetFixture.nqn, keepAlive: UInt32 = 0) throws -> UInt16 {
    try initialize()
    let connected = try run(Self.connectCommand(keepAlive: keepAlive), data: Self.connectData(nqn: nqn))
    guard connected.completion.status.isSuccess else { throw Failure(description: "\(connected.completion.status)") }
    let enabled = try run(.propertySet(.controllerConfiguration, value: 0x0046_0001))
    guard enabled.completion.status.isSuccess else { throw Failure(description: "\(enabled.completion.status)") }
    return UInt16(truncatingIfNeeded: connected.completion.dword0)
  }

  /// An I/O queue of the controller.
  func becomeIO(controller: UInt16, queue: UInt16 = 1, size: UInt16 = 31) throws {
    try initialize()
    let connected = try run(
      Self.connectCommand(queue: queue, size: size), data: Self.connectData(controller: controller))
    guard connected.completion.status.isSuccess else { throw Failure(description: "\(connected.completion.status)") }
  }
}

func stored(_ count: Int, _ store: (UnsafeMutableRawPointer) -> Void) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: count)
  bytes.withUnsafeMutableBytes { store($0.baseAddress!) }
  return bytes
}
