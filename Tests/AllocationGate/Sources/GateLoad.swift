import BlockDevice

/// A channel with requests at a constant depth, all of its memory made beforehand.
final class GateLoad {
  private let item: GateCase
  private let reactor: Reactor
  private let channel: BlockChannel
  private let memory: UnsafeMutableRawBufferPointer
  private let vectors: UnsafeMutablePointer<IOVector>
  private let completions: UnsafeMutableBufferPointer<BlockCompletion>
  private let blockCount: UInt32
  private let placeCount: UInt64
  private var random: UInt64 = 88_172_645_463_325_252

  init(_ item: GateCase, device: any BlockDevice, reactor: Reactor) throws {
    self.item = item
    self.reactor = reactor
    channel = try device.openChannel(on: reactor, queueDepth: item.depth)
    memory = .allocate(byteCount: max(item.byteCount, 1) * item.depth, alignment: 4096)
    memory.initializeMemory(as: UInt8.self, repeating: 7)
    vectors = .allocate(capacity: item.pieceCount * item.depth)
    for slot in 0..<item.depth {
      var position = slot * item.byteCount
      let end = position + item.byteCount
      for piece in 0..<item.pieceCount {
        // Odd lengths, the rest in the last.
        let count = piece == item.pieceCount - 1 ? end - position : (item.byteCount / item.pieceCount) | 1
        let base = memory.baseAddress! + position
        (vectors + slot * item.pieceCount + piece).initialize(to: IOVector(base: base, count: count))
        position += count
      }
    }
    // All that can be there: a turn sleeps although something is left to poll.
    completions = .allocate(capacity: item.depth)
    blockCount = UInt32(item.byteCount) / device.geometry.blockByteCount
    placeCount = device.geometry.blockCount / UInt64(max(blockCount, 1))
  }

  deinit {
    memory.deallocate()
    vectors.deallocate()
    completions.deallocate()
  }

  func run(count: Int) throws {
    var started = 0
    var ended = 0
    while started < min(item.depth, count) {
      try submit(slot: started)
      started += 1
    }
    while ended < started {
      reactor.turn(.forever)
      let polled = channel.poll(into: completions)
      for index in 0..<polled {
        let completion = completions[index]
        guard completion.isSuccess else {
          throw GateError("\(item.name): \(completion.error(device: "the target").map { "\($0)" } ?? "")")
        }
        ended += 1
        if started < count {
          try submit(slot: Int(completion.token))
          started += 1
        }
      }
    }
  }

  private func submit(slot: Int) throws {
    random ^= random << 13
    random ^= random >> 7
    random ^= random << 17
    let address = random % placeCount * UInt64(blockCount)
    let request: BlockRequest
    if item.byteCount == 0 {
      request = BlockRequest(item.operation, token: UInt64(slot))
    } else if item.pieceCount == 1 {
      request = BlockRequest(
        item.operation, logicalBlockAddress: address, blockCount: blockCount,
        buffer: UnsafeMutableRawBufferPointer(rebasing: memory[slot * item.byteCount..<(slot + 1) * item.byteCount]),
        token: UInt64(slot))
    } else {
      request = BlockRequest(
        item.operation, logicalBlockAddress: address, blockCount: blockCount,
        vectors: UnsafeBufferPointer(start: vectors + slot * item.pieceCount, count: item.pieceCount),
        token: UInt64(slot))
    }
    let answer = channel.submit(request)
    guard answer == .accepted else { throw GateError("\(item.name): not accepted: \(answer)") }
  }

  func close() { channel.close() }
}
