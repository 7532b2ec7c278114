/// What is to be sent to a client, in order. A long text is kept as it is and not copied: one that has been written once
/// may answer many calls.
public struct RPCOutput: Sendable {
  /// Only the last may be shorter than ``keptByteCount``; what follows it is then appended to it.
  private var pieces: [[UInt8]] = []
  /// Bytes of the first piece that are gone.
  private var offset = 0
  /// Bytes that are still to be sent.
  public private(set) var count = 0

  /// From how many bytes on a text is a piece of its own.
  static let keptByteCount = 4096
  /// Pieces that are shown at once, at most.
  public static let maximumFrontCount = 16

  init() {}

  public var isEmpty: Bool { count == 0 }

  mutating func append(_ text: [UInt8]) {
    count += text.count
    if text.count >= Self.keptByteCount {
      pieces.append(text)
    } else if let last = pieces.last, last.count < Self.keptByteCount {
      pieces[pieces.count - 1] += text
    } else if !text.isEmpty {
      pieces.append(text)
    }
  }

  mutating func append(_ text: String) { append(Array(text.utf8)) }

  mutating func append(_ other: RPCOutput) {
    for piece in other.pieces { append(piece) }
  }

  /// Calls `body` with the front of what is to be sent, at most ``maximumFrontCount`` pieces, which are valid during the
  /// call. ``sent(_:)`` says what has become of them.
  public func withFront<Value>(_ body: (UnsafeBufferPointer<UnsafeRawBufferPointer>) -> Value) -> Value {
    withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: Self.maximumFrontCount) {
      show(from: 0, in: $0, body)
    }
  }

  private func show<Value>(
    from index: Int, in front: UnsafeMutableBufferPointer<UnsafeRawBufferPointer>,
    _ body: (UnsafeBufferPointer<UnsafeRawBufferPointer>) -> Value
  ) -> Value {
    guard index < min(pieces.count, front.count) else { return body(UnsafeBufferPointer(rebasing: front[..<index])) }
    return pieces[index].withUnsafeBytes {
      front.initializeElement(at: index, to: UnsafeRawBufferPointer(rebasing: $0[(index == 0 ? offset : 0)...]))
      return show(from: index + 1, in: front, body)
    }
  }

  /// So many bytes of the front have been sent.
  mutating func sent(_ byteCount: Int) {
    precondition(byteCount <= count, "more is sent than there is")
    count -= byteCount
    offset += byteCount
    var goneCount = 0
    while goneCount < pieces.count, offset >= pieces[goneCount].count {
      offset -= pieces[goneCount].count
      goneCount += 1
    }
    // Of few: there are not many more pieces than requests that may be outstanding.
    pieces.removeFirst(goneCount)
  }
}
