/// The `async` face. All methods may be called from any task. A task that is cancelled still waits for the device:
/// memory it has lent is not safe to touch before.
extension BlockDevice {
  /// Carries out any request.
  ///
  /// - Throws: ``BlockError``. Refusals are thrown before anything has been sent.
  public nonisolated(nonsending) func perform(_ request: BlockRequest) async throws(BlockError) {
    if let refusal = refusal(of: request) {
      throw BlockError(
        device: name, operation: request.operation, logicalBlockAddress: request.logicalBlockAddress,
        blockCount: request.blockCount, cause: .refused(refusal))
    }
    let completion = await asyncFace.perform(request, device: self)
    if var error = completion.error(device: name) {
      // It has gone nowhere; what is in the way may be more than a connection that is away for a while.
      if completion.outcome == .notSent, let refusal = refusal(of: request) ?? asyncFace.refusal {
        error.cause = .refused(refusal)
      }
      throw error
    }
  }

  /// Why a request cannot be taken; nil when it can.
  public func refusal(of request: BlockRequest) -> BlockRefusal? {
    BlockChannel.refusal(of: request, geometry: geometry, capabilities: capabilities)
  }

  /// Reads blocks into memory of the caller's, which is lent until the call returns.
  public nonisolated(nonsending) func read(
    at logicalBlockAddress: UInt64, into buffer: UnsafeMutableRawBufferPointer, options: BlockOptions = []
  ) async throws(BlockError) {
    let count = try blockCount(.read, logicalBlockAddress, byteCount: buffer.count)
    try await perform(
      BlockRequest(
        .read, logicalBlockAddress: logicalBlockAddress, blockCount: count, buffer: buffer, options: options))
  }

  /// Reads blocks.
  public nonisolated(nonsending) func read(at logicalBlockAddress: UInt64, blockCount: UInt32) async throws(BlockError)
    -> [UInt8]
  {
    let probe = BlockRequest(.verify, logicalBlockAddress: logicalBlockAddress, blockCount: blockCount)
    let geometry = geometry
    // Hold the request against the device before memory is made for it.
    if let refusal = BlockChannel.refusal(of: probe, geometry: geometry, capabilities: .verify) {
      throw BlockError(
        device: name, operation: .read, logicalBlockAddress: logicalBlockAddress, blockCount: blockCount,
        cause: .refused(refusal))
    }
    guard UInt64(blockCount) * UInt64(geometry.blockByteCount) <= UInt64(geometry.maximumRequestByteCount) else {
      throw BlockError(
        device: name, operation: .read, logicalBlockAddress: logicalBlockAddress, blockCount: blockCount,
        cause: .refused(.tooLarge))
    }
    let memory = LentMemory(byteCount: Int(blockCount) * Int(geometry.blockByteCount))
    try await perform(
      BlockRequest(
        .read, logicalBlockAddress: logicalBlockAddress, blockCount: blockCount, buffer: memory.buffer))
    return memory.bytes
  }

  /// Writes blocks from memory of the caller's, which is lent until the call returns.
  public nonisolated(nonsending) func write(
    at logicalBlockAddress: UInt64, from buffer: UnsafeRawBufferPointer, options: BlockOptions = []
  ) async throws(BlockError) {
    let count = try blockCount(.write, logicalBlockAddress, byteCount: buffer.count)
    try await perform(
      BlockRequest(
        .write, logicalBlockAddress: logicalBlockAddress, blockCount: count,
        buffer: UnsafeMutableRawBufferPointer(mutating: buffer), options: options))
  }

  /// Writes blocks.
  public nonisolated(nonsending) func write(
    at logicalBlockAddress: UInt64, _ bytes: [UInt8], options: BlockOptions = []
  ) async throws(BlockError) {
    let memory = LentMemory(bytes)
    let count = try blockCount(.write, logicalBlockAddress, byteCount: bytes.count)
    try await perform(
      BlockRequest(
        .write, logicalBlockAddress: logicalBlockAddress, blockCount: count, buffer: memory.buffer, options: options))
  }

  /// Compares blocks with `bytes`; a difference is an error whose cause is ``BlockOutcome/compareMismatch``.
  public nonisolated(nonsending) func compare(at logicalBlockAddress: UInt64, _ bytes: [UInt8]) async throws(BlockError)
  {
    let memory = LentMemory(bytes)
    let count = try blockCount(.compare, logicalBlockAddress, byteCount: bytes.count)
    try await perform(
      BlockRequest(.compare, logicalBlockAddress: logicalBlockAddress, blockCount: count, buffer: memory.buffer))
  }

  /// Puts everything completed so far on stable media.
  public nonisolated(nonsending) func flush() async throws(BlockError) { try await perform(BlockRequest(.flush)) }

  /// Gives blocks back to the device; what they read as afterwards is its affair.
  public nonisolated(nonsending) func discard(at logicalBlockAddress: UInt64, blockCount: UInt32)
    async throws(BlockError)
  {
    try await perform(BlockRequest(.discard, logicalBlockAddress: logicalBlockAddress, blockCount: blockCount))
  }

  /// Writes zeroes without sending them; the device may deallocate the blocks.
  public nonisolated(nonsending) func writeZeroes(at logicalBlockAddress: UInt64, blockCount: UInt32)
    async throws(BlockError)
  {
    try await perform(BlockRequest(.writeZeroes, logicalBlockAddress: logicalBlockAddress, blockCount: blockCount))
  }

  /// Has the device check that blocks can be read.
  public nonisolated(nonsending) func verify(at logicalBlockAddress: UInt64, blockCount: UInt32)
    async throws(BlockError)
  {
    try await perform(BlockRequest(.verify, logicalBlockAddress: logicalBlockAddress, blockCount: blockCount))
  }

  private func blockCount(
    _ operation: BlockOperation, _ logicalBlockAddress: UInt64, byteCount: Int
  ) throws(BlockError) -> UInt32 {
    let blockByteCount = Int(geometry.blockByteCount)
    let count = UInt32(clamping: byteCount / blockByteCount)
    guard byteCount % blockByteCount == 0 else {
      throw BlockError(
        device: name, operation: operation, logicalBlockAddress: logicalBlockAddress, blockCount: count,
        cause: .refused(.misaligned))
    }
    return count
  }
}
