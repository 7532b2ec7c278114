import JSONRPC

extension RPCConnection {
  /// All output, sent `pieceByteCount` bytes at a time.
  mutating func sendAll(pieceByteCount: Int = .max) -> [UInt8] {
    var bytes: [UInt8] = []
    while !output.isEmpty {
      let piece = output.withFront { $0.joined().prefix(pieceByteCount) + [] }
      bytes += piece
      sent(piece.count)
    }
    return bytes
  }
}
