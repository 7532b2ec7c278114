internal import BlockDevice
internal import CCRC32C
internal import EmbeddedTarget
internal import NVMeTCPProtocol

/// The controller's end of one connection: bytes in, commands, bytes out.
final class SimulatedTargetQueue {
  /// Nil, or deaf, when it is gone without a word.
  private weak let connection: SimulatedConnection?
  private let target: SimulatedTarget
  private let timeline: Timeline
  private var engine: TargetQueuePair
  private var controller: SimulatedController?
  private(set) var identifier: UInt16 = 0
  private var depth = 0
  private var isLive = true
  /// Reads and writes that are not answered yet.
  private var commands: [SimulatedIO] = []
  /// Answers have been given that the host need not accept.
  private var hasMisbehaved = false

  init(connection: SimulatedConnection, target: SimulatedTarget) {
    self.connection = connection
    self.target = target
    timeline = target.timeline
    engine = TargetQueuePair(configuration: target.queuePairConfiguration)
    target.report.connectionCount += 1
  }

  var hasBothDigests: Bool { engine.parameters.headerDigest && engine.parameters.dataDigest }

  // MARK: The connection

  func receive(_ bytes: [UInt8]) {
    guard isLive else { return }
    bytes.withUnsafeBytes { bytes in
      var input = bytes
      while isLive {
        switch engine.next(&input) {
        case .needsMore: return
        case .initialized: break
        case .command(let slot): begin(slot)
        case .dataComplete(let slot): dataCame(slot)
        case .hostTerminated:
          let reason = engine.hostTermination.map { "\($0)" } ?? ""
          if !hasMisbehaved && connection?.isCorrupted != true {
            timeline.violate("the host ends a sound connection: \(reason)")
          }
          lose()
          return
        case .violation:
          let violation = engine.violation.map { "\($0)" } ?? ""
          if connection?.isCorrupted != true { timeline.violate("the host breaks the transport's rules: \(violation)") }
          pumpOut()
          lose()
          return
        }
      }
    }
    pumpOut()
  }

  private func pumpOut() {
    while isLive {
      let count = engine.buildSend()
      if count == 0 { return }
      var bytes: [UInt8] = []
      bytes.reserveCapacity(count)
      for vector in engine.sendVectors {
        bytes.append(contentsOf: UnsafeRawBufferPointer(start: vector.base, count: vector.count))
      }
      engine.didSend(byteCount: count)
      connection?.sendToHost(bytes)
    }
  }

  /// The host has closed the connection, or it has broken.
  func hostClosed() {
    guard isLive else { return }
    lose()
  }

  private func lose() {
    close()
    controller?.connectionLost(identifier)
  }

  func close() {
    guard isLive else { return }
    forget()
    controller?.queues[identifier] = nil
    connection?.closeFromController()
  }

  func forget() {
    isLive = false
    commands.removeAll()
  }

  // MARK: Commands

  private func begin(_ slot: Int) {
    let command = engine.slots[slot].command
    controller?.hasTraffic = true
    if command.opcode == AdminOpcode.fabrics.rawValue {
      beginFabrics(slot, command)
    } else if controller == nil {
      timeline.violate("a command comes before Connect")
    } else if identifier == 0 {
      later(target.faults.adminDelayMilliseconds) { $0.admin(slot, command) }
    } else {
      beginIO(slot, command)
    }
    pumpOut()
  }

  /// Answers are given in time, or late; or never, where the connection has gone by then.
  private func later(_ delayMilliseconds: Int, _ body: @escaping (SimulatedTargetQueue) -> Void) {
    let time =
      delayMilliseconds > 0 && timeline.chance(0.4)
      ? timeline.milliseconds(0...delayMilliseconds) : timeline.microseconds(5...300)
    timeline.after(time) { [self] in
      guard isLive else { return }
      body(self)
      pumpOut()
    }
  }

  private func beginFabrics(_ slot: Int, _ command: SubmissionQueueEntry) {
    switch command.fabricsCommandType {
    case .connect:
      let placement = engine.dataPlacement(slot, byteCount: ConnectData.byteCount, isWrite: true)
      let buffer = engine.buffer(slot, byteCount: ConnectData.byteCount)
      engine.receiveData(slot, placement: placement, into: buffer, byteCount: ConnectData.byteCount)
    case .propertyGet, .propertySet:
      guard let controller, identifier == 0 else {
        return timeline.violate("a property command without an admin queue")
      }
      later(target.faults.adminDelayMilliseconds) { queue in
        let fields = command.propertyFields
        if command.fabricsCommandType == .propertySet {
          controller.configure(ControllerConfigurationRegister(rawValue: UInt32(truncatingIfNeeded: fields.value)))
          queue.engine.respond(slot)
          return
        }
        let value: UInt64 =
          switch fields.offset {
          case ControllerProperty.controllerCapabilities.offset: controller.capabilities.rawValue
          case ControllerProperty.version.offset: 0x0002_0100
          default: UInt64(controller.status.rawValue)
          }
        queue.engine.respond(
          slot, dword0: UInt32(truncatingIfNeeded: value), dword1: UInt32(truncatingIfNeeded: value >> 32))
      }
    default:
      engine.respond(slot, status: .invalidFieldInCommand)
    }
  }

  private func dataCame(_ slot: Int) {
    let command = engine.slots[slot].command
    if command.opcode == AdminOpcode.fabrics.rawValue {
      let data = UnsafeRawBufferPointer(start: engine.buffer(slot, byteCount: 1024), count: 1024)
      let content = try? ConnectData(decoding: Array(data).span.bytes)
      later(target.faults.adminDelayMilliseconds) { $0.connect(slot, command.connectFields, content) }
    } else if let io = commands.first(where: { $0.slot == slot }) {
      takeWrite(io)
    }
  }

  private func connect(_ slot: Int, _ fields: ConnectFields, _ data: ConnectData?) {
    guard let data else { return timeline.violate("Connect data cannot be decoded") }
    if target.faults.refusesForGood {
      engine.respond(slot, status: .connectInvalidParameters.withDoNotRetry)
      return
    }
    let isAdmin = fields.queueIdentifier == 0
    if isAdmin {
      controller = target.makeController(hostKeepAliveMilliseconds: fields.keepAliveTimeoutMilliseconds)
      controller?.hasFlowControl = !fields.disableSubmissionQueueFlowControl
    } else {
      // The association may have ended meanwhile.
      guard let controller = target.controller(data.controllerIdentifier) else {
        engine.respond(slot, status: .connectInvalidParameters)
        return
      }
      guard Int(fields.queueIdentifier) <= controller.grantedQueueCount, fields.entries <= target.queueEntries else {
        engine.respond(slot, status: .connectInvalidParameters)
        return timeline.violate("a queue is connected that the controller has not granted, or is longer than MQES")
      }
      // SPDK's controllers go by the admin queue's attribute for all queues.
      if controller.hasFlowControl == fields.disableSubmissionQueueFlowControl {
        timeline.violate("a queue asks for flow control otherwise than the admin queue has")
      }
      self.controller = controller
    }
    identifier = fields.queueIdentifier
    depth = fields.entries - 1
    controller?.queues[identifier] = self
    engine.setQueue(
      entries: fields.entries, flowControl: !fields.disableSubmissionQueueFlowControl,
      maximumInCapsuleDataLength: isAdmin ? 8192 : UInt32(target.inCapsuleByteCount))
    engine.respond(slot, dword0: UInt32(controller?.identifier ?? 0))
  }

  // MARK: Admin commands

  private func admin(_ slot: Int, _ command: SubmissionQueueEntry) {
    guard let controller else { return }
    switch AdminOpcode(rawValue: command.opcode) {
    case .identify: give(slot, controller.identify(command), byteCount: IdentifyStructure.byteCount)
    case .getLogPage:
      let dwords = Int(command.cdw10 >> 16) | Int(command.cdw11 & 0xFFFF) << 16
      give(slot, controller.logPage(command, byteCount: (dwords + 1) * 4), byteCount: (dwords + 1) * 4)
    case .setFeatures: setFeature(slot, command, controller)
    case .asynchronousEventRequest: controller.addEventRequest(slot)
    case .keepAlive:
      controller.restartKeepAlive()
      engine.respond(slot)
    case .abort:
      let isAborted = controller.abort(
        UInt16(truncatingIfNeeded: command.cdw10 >> 16), queueIdentifier: UInt16(truncatingIfNeeded: command.cdw10))
      engine.respond(slot, dword0: isAborted ? 0 : 1)
    default: engine.respond(slot, status: .invalidCommandOpcode.withDoNotRetry)
    }
  }

  private func setFeature(_ slot: Int, _ command: SubmissionQueueEntry, _ controller: SimulatedController) {
    switch FeatureIdentifier(rawValue: UInt8(truncatingIfNeeded: command.cdw10)) {
    case .numberOfQueues:
      let wanted = Int(command.cdw11 & 0xFFFF) + 1
      controller.grantedQueueCount = min(wanted, target.faults.grantedQueueCount)
      let told = UInt32((target.bug == .fewerQueuesIgnored ? wanted : controller.grantedQueueCount) - 1)
      engine.respond(slot, dword0: told | told << 16)
    case .asynchronousEventConfiguration:
      controller.eventConfiguration = AsynchronousEventConfiguration(rawValue: command.cdw11)
      engine.respond(slot)
    default: engine.respond(slot, status: .invalidFieldInCommand.withDoNotRetry)
    }
  }

  private func give(_ slot: Int, _ bytes: [UInt8]?, byteCount: Int) {
    guard let bytes else { return engine.respond(slot, status: .invalidNamespaceOrFormat.withDoNotRetry) }
    guard engine.dataPlacement(slot, byteCount: byteCount, isWrite: false) == .transport else {
      return timeline.violate("an admin command's SGL is wrong")
    }
    let buffer = engine.buffer(slot, byteCount: byteCount)
    buffer.copyMemory(from: bytes, byteCount: byteCount)
    engine.sendData(slot, from: buffer, byteCount: byteCount)
  }

  /// Answers a command that the controller has kept.
  func respond(_ slot: Int, dword0: UInt32) {
    guard isLive else { return }
    engine.respond(slot, dword0: dword0)
    pumpOut()
  }

  // MARK: Reads and writes

  private func beginIO(_ slot: Int, _ command: SubmissionQueueEntry) {
    let io = SimulatedIO(queue: self, slot: slot, command: command)
    let byteCount = command.blockCount * SimulatedStore.blockByteCount
    guard command.namespaceIdentifier == SimulatedController.namespaceIdentifier,
      io.block + command.blockCount <= SimulatedStore.blockCount
    else { return timeline.violate("a command reaches beyond the namespace") }
    if byteCount > 4096 << Int(target.transferExponent), target.transferExponent > 0 {
      timeline.violate("a command transfers \(byteCount) bytes, more than MDTS")
    }
    let placement = engine.dataPlacement(slot, byteCount: byteCount, isWrite: io.isWrite)
    if case .invalid(let status) = placement {
      engine.respond(slot, status: status)
      return timeline.violate("an I/O command's SGL is wrong: \(status)")
    }
    if placement == .transport && timeline.chance(target.faults.shortDataProbability) {
      // Nothing has been done.
      engine.respond(slot)
      return
    }
    if placement == .inCapsule && timeline.chance(target.faults.errorProbability / 2) {
      // Answered while its data is still coming, and being sent.
      engine.respond(slot, status: StatusField(.generic, 0x21, doNotRetry: timeline.chance(0.5)))
      return
    }
    // One whose data came damaged has been answered without us.
    commands.removeAll { $0.slot == slot }
    commands.append(io)
    if io.isWrite {
      let buffer = engine.buffer(slot, byteCount: byteCount)
      engine.receiveData(slot, placement: placement, into: buffer, byteCount: byteCount)
    } else {
      controller?.take(io)
    }
  }

  private func takeWrite(_ io: SimulatedIO) {
    let byteCount = io.command.blockCount * SimulatedStore.blockByteCount
    let data = UnsafeRawPointer(engine.buffer(io.slot, byteCount: byteCount))
    for offset in 0..<io.command.blockCount {
      let block = io.block + offset
      guard let value = SimulatedStore.value(data + offset * SimulatedStore.blockByteCount, block: block) else {
        let word = (data + offset * SimulatedStore.blockByteCount).loadUnaligned(as: UInt64.self)
        return timeline.violate(
          "block \(block) is written with what the application never wrote (\(String(word, radix: 16)))")
      }
      io.values.append(value)
    }
    controller?.take(io)
  }

  /// A command has been carried out, or refused.
  func answer(_ io: SimulatedIO, _ status: StatusField) {
    guard isLive, let position = commands.firstIndex(where: { $0 === io }) else { return }
    commands.remove(at: position)
    timeline.tell("answer \(io.isWrite ? "write" : "read") of \(io.block), \(io.command.blockCount): \(status)")
    if io.hasFalseAnswer { return }
    if status.isSuccess && !io.isWrite {
      sendRead(io)
    } else {
      engine.respond(io.slot, status: status)
    }
    pumpOut()
    if timeline.chance(duplicateProbability) {
      let identifier = io.command.commandIdentifier
      timeline.after(timeline.chance(0.5) ? timeline.microseconds(0...500) : timeline.milliseconds(0...400)) { [self] in
        answerAgain(identifier, status)
      }
    }
  }

  private var duplicateProbability: Double {
    target.bug == .lateCompletionAccepted ? 0.2 : target.faults.duplicateProbability
  }

  private func sendRead(_ io: SimulatedIO) {
    let byteCount = io.command.blockCount * SimulatedStore.blockByteCount
    let buffer = engine.buffer(io.slot, byteCount: byteCount)
    for offset in 0..<io.command.blockCount {
      let block = io.block + offset
      // Of another namespace there is nothing that anybody may find.
      let value = target.faults.isStranger ? 0xBAD_BAD : target.store.disk.values[block]
      SimulatedStore.fill(buffer + offset * SimulatedStore.blockByteCount, value, block: block)
    }
    if target.bug == .dataIncomplete && timeline.chance(0.02) {
      (buffer + byteCount - 100).initializeMemory(as: UInt8.self, repeating: 0, count: 100)
    }
    if target.bug == .dataDigestIgnored && timeline.chance(target.faults.corruptionProbability) {
      (buffer + timeline.number(0...byteCount - 1)).storeBytes(of: 0x5A, as: UInt8.self)
    }
    engine.sendData(io.slot, from: buffer, byteCount: byteCount)
  }

  /// The response capsule of a command that has been answered before.
  private func answerAgain(_ identifier: UInt16, _ status: StatusField) {
    guard isLive, duplicateProbability > 0 else { return }
    var identifier = identifier
    if target.bug == .lateCompletionAccepted {
      let mask = UInt16(1 << (Int.bitWidth - (depth - 1).leadingZeroBitCount) - 1)
      guard let io = commands.first(where: { $0.command.commandIdentifier & mask == identifier & mask }) else { return }
      identifier = io.command.commandIdentifier
      io.hasFalseAnswer = true
    } else {
      hasMisbehaved = true
    }
    target.report.duplicateCount += 1
    let digestByteCount = engine.parameters.headerDigest ? 4 : 0
    var bytes = [UInt8](repeating: 0, count: CapsuleResponseHeader.byteCount + digestByteCount)
    bytes.withUnsafeMutableBytes { bytes in
      let base = bytes.baseAddress!
      CapsuleResponseHeader(parameters: engine.parameters).store(to: base)
      CompletionQueueEntry(commandIdentifier: identifier, status: status)
        .store(to: base + CapsuleResponseHeader.completionQueueEntryOffset)
      guard digestByteCount > 0 else { return }
      let digest = nvmeof_crc32c_extend(0, base, CapsuleResponseHeader.byteCount)
      (base + CapsuleResponseHeader.byteCount).storeBytes(of: digest.littleEndian, as: UInt32.self)
    }
    connection?.sendToHost(bytes)
  }
}
