import BlockDevice
import EmbeddedTarget
import Synchronization
import Testing

/// All queues of an association go to one address, whatever a name stands for from one look-up to the next.
@Suite(.timeLimit(.minutes(1)))
struct AssociationAddressTests {
  /// What a name comes to that has several addresses, each of them first in turn.
  private final class RotatingTransport: Transport {
    private let transports: [TCPTransport]
    private let turn = Atomic<Int>(0)

    init(_ transports: [TCPTransport]) { self.transports = transports }

    var description: String { "storage.example" }

    func makeQueuePair(on reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters) -> QueuePair {
      let number = turn.add(1, ordering: .relaxed).oldValue
      return transports[number % transports.count].makeQueuePair(on: reactor, owner: owner, parameters: parameters)
    }
  }

  /// The other target has no such controller, and would refuse its queues.
  @Test(arguments: ["127.0.0.1", "localhost"])
  func `I/O queues go where the admin queue went`(host: String) async throws {
    let bed = try await TestBed()
    let other = try await TestBed()
    var configuration = bed.controller.configuration
    configuration.queueCount = 3
    let controller = Controller(
      transport: RotatingTransport([bed, other].map { TCPTransport(host: host, port: $0.port.port) }),
      configuration: configuration, home: bed.thread.handle)
    controller.connect()
    try await controller.ready()
    #expect(controller.snapshot.queueCount == 3)
    let device = try #require(controller.blockDevice(namespaceIdentifier: 1))
    try await device.write(at: 0, [UInt8](repeating: 7, count: 512))
    await controller.disconnect()
    #expect(try await bed.end() == 0)
    #expect(try await other.end(openFaces: 0) == 0)
  }
}
