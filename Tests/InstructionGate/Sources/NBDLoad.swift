import BlockDevice
import NBDLoopback

/// I/O by a client of the NBD server on a device in memory: from the socket through server and channel, and back.
final class NBDLoad: Load {
  private let isWrite: Bool
  private let loopback: NBDLoopback

  init(_ shape: LoadShape) throws {
    precondition(
      shape.byteCount == NBDLoopback.requestByteCount && LoadShape.depth == NBDLoopback.depth,
      "the loopback has one shape")
    isWrite = shape.operation == .write
    // Nothing is to depend on the time: nobody spins.
    let reactor = try Reactor(waitPolicy: .eventDriven)
    let device = try MemoryBlockDevice(blockCount: UInt64(NBDLoopback.depth), reactor: reactor.handle)
    loopback = try NBDLoopback(device: device, reactor: reactor, isFragmented: false, security: nil)
    try loopback.doRound(isWrite: true)
  }

  func doRound() throws { try loopback.doRound(isWrite: isWrite) }

  func verify() throws { if !isWrite { try loopback.verify() } }
}
