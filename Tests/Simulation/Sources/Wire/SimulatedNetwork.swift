internal import RingReactor

/// The kernel and the network of a simulated world: sockets, and what becomes of the bytes.
final class SimulatedNetwork: SimulatedKernel {
  let timeline: Timeline
  let bug: PlantedWireBug?
  /// By their ports.
  var targets: [UInt16: SimulatedTarget] = [:]
  /// By their descriptors, until the host closes them.
  private var connections: [Int32: SimulatedConnection] = [:]
  private var nextDescriptor: Int32 = 1000
  private var polls: [(operation: SimulatedOperation, ring: SimulatedRing)] = []
  /// Something has been told to a reactor since it was last looked at.
  var hasNews = false
  /// The application's: which of its memory is lent to the initiator.
  var requests: [WireRequest] = []

  init(timeline: Timeline, bug: PlantedWireBug?) {
    self.timeline = timeline
    self.bug = bug
  }

  var nowNanoseconds: UInt64 { timeline.now }
  var openSocketCount: Int { connections.count }

  func openSocket() -> Int32 {
    nextDescriptor += 1
    connections[nextDescriptor] = SimulatedConnection(network: self)
    return nextDescriptor
  }

  func closeSocket(_ fileDescriptor: Int32) {
    guard let connection = connections.removeValue(forKey: fileDescriptor) else {
      timeline.violate("a descriptor is closed that is not open")
      return
    }
    connection.closeHost()
  }

  func discardUnsentOnClose(_ fileDescriptor: Int32) { connections[fileDescriptor]?.discardUnsentOnClose() }

  func endSending(_ fileDescriptor: Int32) { connections[fileDescriptor]?.endSending() }

  func sendNow(_ fileDescriptor: Int32, _ pieces: [UnsafeMutableRawBufferPointer]) -> Int32 {
    guard let connection = connections[fileDescriptor] else {
      timeline.violate("a send on a descriptor that is not open")
      return -9
    }
    return connection.sendNow(pieces)
  }

  func begin(_ operation: SimulatedOperation, on ring: SimulatedRing) {
    switch operation.kind {
    case .connect(let descriptor, let address):
      guard let target = targets[address.port] else { return fail(operation, ring, -111) }
      connection(descriptor, operation, ring)?.connect(HostOperation(operation, ring), to: target)
    case .receive(let descriptor, let pieces):
      connection(descriptor, operation, ring)?.receive(HostOperation(operation, ring, pieces))
    case .send(let descriptor, let pieces):
      connection(descriptor, operation, ring)?.send(HostOperation(operation, ring, pieces))
    case .cancel(let descriptor):
      connection(descriptor, operation, ring)?.cancel(HostOperation(operation, ring))
    case .cancelAll:
      // A reactor ends: its sockets are closed, only the look at its mailbox is left.
      for (poll, owner) in polls where owner === ring { fail(poll, ring, -125) }
      polls.removeAll { $0.ring === ring }
      fail(operation, ring, 0)
    case .poll:
      polls.append((operation, ring))
    case .unsupported:
      timeline.violate("an operation that no socket needs")
    }
  }

  func isApplicationMemory(_ piece: UnsafeMutableRawBufferPointer) -> Bool {
    let address = UInt(bitPattern: piece.baseAddress)
    return requests.contains { $0.addresses.contains(address) }
  }

  /// The kernel reads or writes memory: where it is the application's, it must be lent at that moment.
  func touch(_ piece: UnsafeMutableRawBufferPointer) {
    let first = UInt(bitPattern: piece.baseAddress)
    for request in requests where request.addresses.contains(first) {
      if !request.lentAddresses.contains(first) || !request.lentAddresses.contains(first + UInt(piece.count) - 1) {
        timeline.violate("the kernel still has memory that is not lent any more")
      }
    }
  }

  private func connection(
    _ descriptor: Int32, _ operation: SimulatedOperation, _ ring: SimulatedRing
  ) -> SimulatedConnection? {
    if let connection = connections[descriptor] { return connection }
    timeline.violate("an operation on a descriptor that is not open")
    fail(operation, ring, -9)
    return nil
  }

  private func fail(_ operation: SimulatedOperation, _ ring: SimulatedRing, _ result: Int32) {
    ring.complete(operation, result: result)
    hasNews = true
  }
}
