/// One direction of a connection: chunks on their way, in order.
struct BytePipe {
  private var chunks: [[UInt8]] = []
  private var head = 0
  private(set) var byteCount = 0
  /// The sender has said that nothing more comes.
  var hasEnd = false
  /// The next chunk is on its way.
  var isScheduled = false
  /// Bytes delivered so far.
  var deliveredByteCount = 0
  /// The connection breaks when so many more have been delivered.
  var bytesUntilReset: Int?

  var isEmpty: Bool { head == chunks.count }

  mutating func append(_ chunk: [UInt8]) {
    chunks.append(chunk)
    byteCount += chunk.count
  }

  mutating func popFirst() -> [UInt8]? {
    guard head < chunks.count else { return nil }
    let chunk = chunks[head]
    head += 1
    byteCount -= chunk.count
    if head == chunks.count {
      chunks.removeAll(keepingCapacity: true)
      head = 0
    }
    return chunk
  }

  mutating func removeAll() {
    chunks.removeAll()
    head = 0
    byteCount = 0
  }
}
