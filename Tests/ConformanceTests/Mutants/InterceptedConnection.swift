import Glibc
import NVMeProtocol
import NVMeTCPProtocol
import Synchronization

/// A connection through an ``Interceptor``, pumped by a thread for each direction.
final class InterceptedConnection: Sendable {
  private struct State {
    var commands: [UInt16: SubmissionQueueEntry] = [:]
    var queueIdentifier: UInt16?
    var headerDigest = false
    var pumps = 2
  }

  private let host: Int32
  private let target: Int32
  private let place: Int
  private let planted: PlantedDefect
  private let number: Int
  private let state = Mutex(State())
  /// Both threads may send to either side.
  private let sendingToHost = Mutex(())
  private let sendingToTarget = Mutex(())

  init(host: Int32, target: Int32, place: Int, planted: PlantedDefect) {
    self.host = host
    self.target = target
    self.place = place
    self.planted = planted
    number = planted.nextConnection()
    var one: Int32 = 1
    for descriptor in [host, target] {
      setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }
  }

  /// Passes PDUs on in one direction until there are no more.
  func pump(isToTarget: Bool) {
    let (source, destination) = isToTarget ? (host, target) : (target, host)
    var isGoingOn = true
    while isGoingOn {
      let (bytes, isWhole) = Self.receivePDU(source)
      guard isWhole else {
        // A part of a PDU goes on as it is, and with it the end.
        _ = send([WirePDU(bytes)], toTarget: isToTarget)
        _ = passed(WirePDU([]), isToTarget: isToTarget)
        shutdown(destination, Int32(SHUT_WR))
        break
      }
      let passage = passed(WirePDU(bytes), isToTarget: isToTarget)
      isGoingOn =
        send(passage.onward, toTarget: isToTarget) && send(passage.back, toTarget: !isToTarget) && !passage.isLast
      if !isGoingOn {
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(destination, Int32(SHUT_RDWR))
      }
    }
    let isDone = state.withLock { state in
      state.pumps -= 1
      return state.pumps == 0
    }
    if isDone {
      close(host)
      close(target)
    }
  }

  private func passed(_ pdu: WirePDU, isToTarget: Bool) -> Passage {
    var passage = state.withLock { state in
      var identifier: UInt16?
      switch pdu.type {
      case .initializeConnectionResponse: state.headerDigest = pdu.bytes[11] & 1 != 0
      case .capsuleCommand:
        let command = pdu.bytes.withUnsafeBytes { SubmissionQueueEntry(loading: $0.baseAddress! + 8) }
        state.commands[command.commandIdentifier] = command
        if command.opcode == AdminOpcode.fabrics.rawValue, command.fabricsCommandType == .connect {
          state.queueIdentifier = command.connectFields.queueIdentifier
        }
        identifier = command.commandIdentifier
      case .capsuleResponse: identifier = pdu.completion.commandIdentifier
      case .controllerToHostData, .hostToControllerData, .readyToTransfer:
        identifier = UInt16(pdu.number(at: 8, count: 2))
      default: break
      }
      return Passage(
        pdu, isToTarget: isToTarget, port: place, connection: number, headerDigest: state.headerDigest,
        command: identifier.flatMap { state.commands[$0] }, queueIdentifier: state.queueIdentifier)
    }
    planted.pass(&passage)
    return passage
  }

  private func send(_ pdus: [WirePDU], toTarget: Bool) -> Bool {
    pdus.allSatisfy { pdu in
      toTarget
        ? sendingToTarget.withLock { _ in Self.send(pdu.bytes, target) }
        : sendingToHost.withLock { _ in Self.send(pdu.bytes, host) }
    }
  }

  private static func send(_ bytes: [UInt8], _ descriptor: Int32) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  /// The next PDU, or what has come of it before the stream ended. What cannot be a PDU passes in pieces of eight bytes.
  private static func receivePDU(_ descriptor: Int32) -> (bytes: [UInt8], isWhole: Bool) {
    var bytes: [UInt8] = []
    var wanted = PDUCommonHeader.byteCount
    while true {
      let had = bytes.count
      bytes += [UInt8](repeating: 0, count: wanted - had)
      var received = had
      while received < wanted {
        let count = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + received, wanted - received, 0) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return (Array(bytes[..<received]), false) }
        received += count
      }
      let length = Int(WirePDU(bytes).number(at: 4, count: 4))
      if had > 0 || length <= wanted || length > 1 << 26 { return (bytes, true) }
      wanted = length
    }
  }
}
