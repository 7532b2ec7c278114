import BlockDevice

/// A transport whose queue pairs have their controller in memory.
struct MemoryTransport: Transport {
  /// In one subsystem no two controllers have the same.
  let controllerIdentifier: UInt16

  var description: String { "a controller in memory" }

  func makeQueuePair(on reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters) -> QueuePair {
    MemoryQueuePair(
      reactor: reactor, owner: owner, parameters: parameters, controllerIdentifier: controllerIdentifier)
  }
}
