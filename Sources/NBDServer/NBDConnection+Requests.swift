internal import BlockDevice
internal import NBDProtocol

/// From the client to the device, and back.
extension NBDConnection {
  /// In the token of a discard: a flush is to follow before the answer.
  private static let flushFollows: UInt64 = 1 << 16

  /// Has the channel take what requests it has room for.
  func submitRequests(_ engine: UnsafeMutablePointer<NBDTransmission>) {
    guard let channelReference else { return }
    while let request = engine.pointee.popRequest() {
      st.pointee.requestCount &+= 1
      var block = BlockRequest(
        .flush, logicalBlockAddress: request.offset >> st.pointee.blockShift,
        blockCount: UInt32(truncatingIfNeeded: request.byteCount >> st.pointee.blockShift), buffer: request.memory,
        token: UInt64(request.index))
      switch request.operation {
      case .read:
        block.operation = .read
        if request.byteCount >= Self.largeAnswerByteCount && !st.pointee.isSendBufferLarge { enlargeSendBuffer() }
      case .write: block.operation = .write
      case .writeZeroes:
        block.operation = .writeZeroes
        if request.isNoHole { block.options.insert(.noHole) }
        if request.isFastZero { block.options.insert(.fastZero) }
      case .trim:
        block.operation = .discard
        // No device has a discard with FUA, and the client was promised one ("NBD_CMD_FLAG_FUA").
        if request.isForceUnitAccess && st.pointee.hasVolatileWriteCache { block.token |= Self.flushFollows }
      case .flush:
        if !st.pointee.hasVolatileWriteCache {
          engine.pointee.complete(request.index, nil)
          continue
        }
      }
      if request.isForceUnitAccess, st.pointee.hasForceUnitAccess, request.operation != .trim,
        request.operation != .flush
      {
        block.options.insert(.forceUnitAccess)
      }
      if request.byteCount >> st.pointee.blockShift > UInt64(UInt32.max) {
        engine.pointee.complete(request.index, .rangeTooLarge)
        continue
      }
      switch channelReference._withUnsafeGuaranteedRef({ $0.submit(block) }) {
      case .accepted:
        // A device that is quick as memory is not asked for more than the client can be sent.
        if channelReference._withUnsafeGuaranteedRef({ $0.hasCompletions }) { collect(channelReference, engine) }
      case .busy:
        // The channel's own end of a request brings the next try.
        engine.pointee.putBack(request.index)
        st.pointee.requestCount &-= 1
        return
      case .refused(let refusal):
        engine.pointee.complete(request.index, NBDFailure(refusal, operation: block.operation))
      }
    }
    if engine.pointee.wantsToSend { becomeDirty() }
  }

  /// Takes from the channel what has ended.
  func collect(_ channel: Unmanaged<BlockChannel>, _ engine: UnsafeMutablePointer<NBDTransmission>) {
    while true {
      let count = channel._withUnsafeGuaranteedRef { $0.poll(into: completions) }
      for index in 0..<count {
        let completion = completions[index]
        if completion.token & Self.flushFollows != 0, completion.outcome == .success {
          engine.pointee.flush(UInt16(truncatingIfNeeded: completion.token))
          continue
        }
        engine.pointee.complete(
          UInt16(truncatingIfNeeded: completion.token),
          completion.outcome == .success ? nil : NBDFailure(completion))
      }
      if count < Self.completionCapacity { return }
    }
  }
}
