internal import NVMeProtocol

extension TargetConnection {
  /// A command capsule has come.
  func execute(_ index: Int) {
    let command = st.pointee.engine.slots[index].command
    if !core.faults.isEmpty && applyFaults(index, command) { return }
    if command.opcode == AdminOpcode.fabrics.rawValue {
      executeFabrics(index, command)
    } else if !st.pointee.isConnected {
      fail(index, .commandSequenceError.withDoNotRetry)
    } else if command.fusedOperation != 0 {
      // FUSES is 0.
      fail(index, .invalidFieldInCommand.withDoNotRetry)
    } else if st.pointee.queueIdentifier == 0 {
      if core.configuration.hasTrafficBasedKeepAlive { st.pointee.statistics!.pointee.hasTraffic = true }
      executeAdmin(index, command)
    } else {
      executeIO(index, command)
    }
  }

  /// All data of a command has come.
  func dataCompleted(_ index: Int) {
    let command = st.pointee.engine.slots[index].command
    if command.opcode == AdminOpcode.fabrics.rawValue {
      finishConnect(index, command)
    } else if st.pointee.queueIdentifier == 0 {
      finishSetFeatures(index)
    } else {
      finishIO(index, command)
    }
  }

  // MARK: Fabrics (NVMe Base 2.1, section 6)

  private func executeFabrics(_ index: Int, _ command: SubmissionQueueEntry) {
    guard let type = command.fabricsCommandType else {
      fail(index, .invalidFieldInCommand.withDoNotRetry)
      return
    }
    if type == .connect {
      guard !st.pointee.isConnected else {
        fail(index, .commandSequenceError.withDoNotRetry)
        return
      }
      takeData(index, byteCount: 1024)
      return
    }
    guard st.pointee.isConnected, let controller else {
      fail(index, .commandSequenceError.withDoNotRetry)
      return
    }
    if core.configuration.hasTrafficBasedKeepAlive { st.pointee.statistics!.pointee.hasTraffic = true }
    switch type {
    case .propertyGet, .propertySet:
      guard st.pointee.queueIdentifier == 0 else {
        fail(index, .invalidFieldInCommand.withDoNotRetry)
        return
      }
      let fields = command.propertyFields
      if type == .propertyGet {
        guard let value = controller.property(offset: fields.offset, isEightBytes: fields.isEightBytes) else {
          fail(index, .invalidFieldInCommand.withDoNotRetry)
          return
        }
        st.pointee.engine.respond(
          index, dword0: UInt32(truncatingIfNeeded: value), dword1: UInt32(truncatingIfNeeded: value >> 32))
      } else if controller.setProperty(
        offset: fields.offset, isEightBytes: fields.isEightBytes, value: fields.value)
      {
        st.pointee.engine.respond(index)
      } else {
        fail(index, .invalidFieldInCommand.withDoNotRetry)
      }
    case .disconnect:
      // Only I/O queues are deleted so; the admin queue goes with the association (section 6.4).
      guard st.pointee.queueIdentifier != 0 else {
        fail(index, .invalidQueueType.withDoNotRetry)
        return
      }
      st.pointee.engine.respond(index)
      closeWhenSent()
    case .connect, .authenticationSend, .authenticationReceive:
      fail(index, .invalidFieldInCommand.withDoNotRetry)
    }
  }

  /// Has the command's data put into a buffer of its own.
  private func takeData(_ index: Int, byteCount: Int) {
    let placement = st.pointee.engine.dataPlacement(index, byteCount: byteCount, isWrite: true)
    if case .invalid(let status) = placement {
      fail(index, status)
      return
    }
    let buffer = st.pointee.engine.buffer(index, byteCount: byteCount)
    st.pointee.engine.receiveData(index, placement: placement, into: buffer, byteCount: byteCount)
  }

  private func finishConnect(_ index: Int, _ command: SubmissionQueueEntry) {
    // Another Connect may have been carried out while this one's data came.
    guard !st.pointee.isConnected else {
      fail(index, .commandSequenceError.withDoNotRetry)
      return
    }
    let data = UnsafeRawPointer(st.pointee.engine.buffer(index, byteCount: 1024))
    let fields = command.connectFields
    switch core.connect(self, fields: fields, data: data) {
    case .accepted(let controllerIdentifier):
      st.pointee.engine.respond(index, dword0: UInt32(controllerIdentifier))
    case .refused(let status, let result):
      core.log("Connect refused: \(status)", connection: self)
      fail(index, status, dword0: result)
    }
  }

  // MARK: Admin commands

  func executeAdmin(_ index: Int, _ command: SubmissionQueueEntry) {
    guard let controller else { return }
    // Before CC.EN only fabrics commands are taken; Keep Alive does no harm.
    guard controller.isReady || command.opcode == AdminOpcode.keepAlive.rawValue else {
      fail(index, .commandSequenceError.withDoNotRetry)
      return
    }
    guard let opcode = AdminOpcode(rawValue: command.opcode) else {
      fail(index, .invalidCommandOpcode.withDoNotRetry)
      return
    }
    switch opcode {
    case .identify:
      giveData(index, byteCount: IdentifyStructure.byteCount) { controller.identify(command, into: $0) }
    case .getLogPage:
      let dwords = UInt64(command.cdw10 >> 16) | UInt64(command.cdw11 & 0xFFFF) << 16
      let byteCount = (dwords + 1) * 4
      guard byteCount <= UInt64(core.configuration.maximumTransferByteCount) else {
        fail(index, .invalidFieldInCommand.withDoNotRetry)
        return
      }
      giveData(index, byteCount: Int(byteCount)) {
        controller.logPage(command, into: $0, byteCount: Int(byteCount))
      }
    case .getFeatures:
      if command.cdw10 & 0xFF == UInt32(FeatureIdentifier.hostBehaviorSupport.rawValue), !controller.isDiscovery {
        let select = command.cdw10 >> 8 & 0b111
        guard select < 3 else {
          st.pointee.engine.respond(index, dword0: select == 3 ? 1 << 2 : 0)
          return
        }
        giveData(index, byteCount: 512) {
          $0.copyMemory(from: controller.hostBehavior, byteCount: 512)
          return .success
        }
        return
      }
      let (status, value) = controller.feature(command)
      if status.isSuccess { st.pointee.engine.respond(index, dword0: value) } else { fail(index, status) }
    case .setFeatures:
      if command.cdw10 & 0xFF == UInt32(FeatureIdentifier.hostBehaviorSupport.rawValue), !controller.isDiscovery {
        takeData(index, byteCount: 512)
        return
      }
      let (status, value) = controller.setFeature(command)
      if status.isSuccess { st.pointee.engine.respond(index, dword0: value) } else { fail(index, status) }
    case .asynchronousEventRequest:
      if !controller.addEventRequest(slot: index) {
        fail(index, .asynchronousEventRequestLimitExceeded.withDoNotRetry)
      }
    case .keepAlive:
      keepAliveChanged()
      st.pointee.engine.respond(index)
    case .abort:
      let queue = UInt16(truncatingIfNeeded: command.cdw10)
      let identifier = UInt16(truncatingIfNeeded: command.cdw10 >> 16)
      let isAborted =
        controller.queues[queue]?.abort(commandIdentifier: identifier, except: queue == 0 ? index : -1) ?? false
      // Bit 0 of dword 0: the command was not aborted.
      st.pointee.engine.respond(index, dword0: isAborted ? 0 : 1)
    default:
      fail(index, .invalidCommandOpcode.withDoNotRetry)
    }
  }

  private func finishSetFeatures(_ index: Int) {
    let data = UnsafeRawPointer(st.pointee.engine.buffer(index, byteCount: 512))
    controller?.hostBehavior = Array(UnsafeRawBufferPointer(start: data, count: 512))
    st.pointee.engine.respond(index)
  }

  /// Answers with data that `fill` writes, or with the failure it returns.
  private func giveData(_ index: Int, byteCount: Int, _ fill: (UnsafeMutableRawPointer) -> StatusField) {
    if case .invalid(let status) = st.pointee.engine.dataPlacement(index, byteCount: byteCount, isWrite: false) {
      fail(index, status)
      return
    }
    guard mayBegin(index, byteCount: byteCount) else { return }
    let buffer = st.pointee.engine.buffer(index, byteCount: byteCount)
    let status = fill(buffer)
    if status.isSuccess {
      st.pointee.engine.sendData(index, from: buffer, byteCount: byteCount)
    } else {
      fail(index, status)
    }
  }
}
