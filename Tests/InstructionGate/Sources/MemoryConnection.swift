import NVMeProtocol
import NVMeTCPProtocol

/// A host's queue pair and the controller's end, joined by memory instead of a socket.
struct MemoryConnection: ~Copyable {
  var engine: HostQueuePair
  private var controller: MemoryController
  private let receiveVectors: UnsafeMutablePointer<IOVector>

  // As `TCPQueuePair` does by default: bytes received at once, what makes a payload large, and how much is received
  // behind one that goes into place.
  private static let bufferByteCount = 131_072
  private static let directThreshold = 16_384
  private static let directTailByteCount = 4096
  private static let vectorCapacity = 64

  init(configuration: HostQueuePairConfiguration, controller: consuming MemoryController) {
    engine = HostQueuePair(configuration: configuration)
    self.controller = controller
    receiveVectors = .allocate(capacity: Self.vectorCapacity)
  }

  deinit { receiveVectors.deallocate() }

  /// Lets everything that either side has to say go to the other, until both have said all.
  mutating func exchange() throws {
    repeat {
      let byteCount = engine.buildSend()
      if byteCount > 0 {
        controller.take(engine.sendVectors)
        engine.didSend(byteCount: byteCount)
      }
      while controller.untakenByteCount > 0 { try receive() }
    } while engine.wantsToSend
  }

  /// One receive of the size that `TCPQueuePair` would ask for.
  private mutating func receive() throws {
    let isLarge = engine.latestDataByteCount >= Self.directThreshold
    let direct = engine.directReceiveVectors(
      into: receiveVectors, capacity: Self.vectorCapacity - 1, minimumByteCount: isLarge ? 1 : Self.directThreshold)
    var room = isLarge ? Self.directTailByteCount : Self.bufferByteCount
    if direct.vectorCount > 0 {
      room = direct.byteCount == engine.remainingPayloadByteCount ? Self.directTailByteCount : 0
      var placed = 0
      for index in 0..<direct.vectorCount {
        let piece = controller.nextAnswers(atMost: receiveVectors[index].count)
        if piece.isEmpty { break }
        receiveVectors[index].base!.copyMemory(from: piece.baseAddress!, byteCount: piece.count)
        placed += piece.count
      }
      engine.didReceiveDirectly(byteCount: placed)
    }
    guard engine.receive(controller.nextAnswers(atMost: room)) else {
      throw GateError("the host refuses what the controller sent: \(engine.violation.map { "\($0)" } ?? "")")
    }
  }
}
