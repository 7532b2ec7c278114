package import BlockDevice

/// The way to a controller, with the words that it was named by.
package struct AddressedTransport: Transport {
  let transport: TCPTransport
  var request: AttachRequest

  var address: TransportAddress { request.address }
  package var description: String { transport.description }

  package func makeQueuePair(
    on reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters
  ) -> QueuePair {
    transport.makeQueuePair(on: reactor, owner: owner, parameters: parameters)
  }
}
