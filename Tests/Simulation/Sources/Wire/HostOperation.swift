internal import RingReactor

/// An operation of the host's that is under way on a simulated connection, with the memory that is lent to the kernel for it.
struct HostOperation {
  let operation: SimulatedOperation
  let ring: SimulatedRing
  private(set) var pieces: [UnsafeMutableRawBufferPointer]
  let byteCount: Int
  /// Bytes moved so far.
  var position = 0

  init(_ operation: SimulatedOperation, _ ring: SimulatedRing, _ pieces: [UnsafeMutableRawBufferPointer] = []) {
    self.operation = operation
    self.ring = ring
    self.pieces = pieces
    byteCount = pieces.reduce(0) { $0 + $1.count }
  }

  /// Exchanges the memory for other memory of the same shape: for planted bugs.
  mutating func replacePieces(_ body: (UnsafeMutableRawBufferPointer) -> UnsafeMutableRawBufferPointer) {
    pieces = pieces.map(body)
  }

  /// The next `count` bytes of the memory.
  mutating func take(_ count: Int, network: SimulatedNetwork) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    forNext(count) { piece in
      network.touch(piece)
      bytes.append(contentsOf: UnsafeRawBufferPointer(piece))
    }
    return bytes
  }

  mutating func put(_ bytes: ArraySlice<UInt8>, network: SimulatedNetwork) {
    var rest = bytes
    forNext(bytes.count) { piece in
      network.touch(piece)
      piece.copyBytes(from: rest.prefix(piece.count))
      rest = rest.dropFirst(piece.count)
    }
  }

  private mutating func forNext(_ count: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
    var (skip, left) = (position, count)
    for piece in pieces where left > 0 {
      if skip >= piece.count {
        skip -= piece.count
        continue
      }
      let length = min(left, piece.count - skip)
      body(UnsafeMutableRawBufferPointer(rebasing: piece[skip..<skip + length]))
      left -= length
      skip = 0
    }
    position += count
  }
}
