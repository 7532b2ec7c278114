import BlockDevice

/// A transport whose queue pairs have their controller in memory.
struct MemoryTransport: Transport {
  var description: String { "a controller in memory" }

  func makeQueuePair(on reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters) -> QueuePair {
    MemoryQueuePair(reactor: reactor, owner: owner, parameters: parameters)
  }
}
