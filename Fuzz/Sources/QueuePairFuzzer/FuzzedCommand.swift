import NVMeProtocol

/// A submitted command's memory. Each piece is an allocation of its own and exactly as long as it says, so that the
/// address sanitizer sees every access beyond it, and every access after the completion has freed it.
final class FuzzedCommand {
  let token: UInt64
  let direction: DataDirection
  let byteCount: Int
  let segments: DataSegments
  private let prefixByteCount: Int
  private let vectors: UnsafeMutablePointer<IOVector>
  private let vectorCount: Int
  static let canary: UInt8 = 0xA7

  // What the controller's side has seen and done.
  var identifier: UInt16?
  var usesInCapsuleData = false
  /// Data bytes sent to the host, or got from it.
  var transferred = 0
  var requested = 0
  var isAnswered = false
  var isDamaged = false
  /// What the completion has to say, when the controller's side kept the rules.
  var expectsSuccess = false
  var expectsShortData = false

  init(token: UInt64, direction: DataDirection, byteCount: Int, pieceCount: Int, prefix: Int, suffix: Int) {
    self.token = token
    self.direction = direction
    self.byteCount = byteCount
    prefixByteCount = prefix
    let total = prefix + byteCount + suffix
    // The last piece has what the division leaves; with more pieces than bytes some are empty.
    let length = max(1, total / pieceCount)
    vectors = .allocate(capacity: pieceCount)
    vectorCount = pieceCount
    var left = total
    for index in 0..<pieceCount {
      let count = index == pieceCount - 1 ? left : min(length, left)
      left -= count
      let base = count > 0 ? UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 1) : nil
      base?.initializeMemory(as: UInt8.self, repeating: Self.canary, count: count)
      (vectors + index).initialize(to: IOVector(base: base, count: count))
    }
    segments =
      byteCount == 0
      ? .none
      : DataSegments(
        vectors: vectors, vectorCount: Int32(pieceCount), byteOffset: UInt32(prefix), byteCount: UInt32(byteCount))
    if direction == .hostToController { forEachByte { offset, byte in byte = Self.pattern(token, offset) } }
  }

  deinit {
    for index in 0..<vectorCount { vectors[index].base?.deallocate() }
    vectors.deallocate()
  }

  static func pattern(_ token: UInt64, _ offset: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: token &* 37 &+ UInt64(offset) &* 3 &+ UInt64(offset >> 8))
  }

  private func forEachByte(_ body: (Int, inout UInt8) -> Void) {
    var position = -prefixByteCount
    for index in 0..<vectorCount {
      guard let base = vectors[index].base else { continue }
      let bytes = base.assumingMemoryBound(to: UInt8.self)
      for place in 0..<vectors[index].count {
        if position >= 0 && position < byteCount { body(position, &bytes[place]) }
        position += 1
      }
    }
  }

  /// Bytes before and behind the command's range are untouched.
  func checkCanaries() {
    var position = -prefixByteCount
    for index in 0..<vectorCount {
      guard let base = vectors[index].base else { continue }
      let bytes = base.assumingMemoryBound(to: UInt8.self)
      for place in 0..<vectors[index].count {
        if position < 0 || position >= byteCount {
          check(bytes[place] == Self.canary, "a byte outside of the command's range was written")
        }
        position += 1
      }
    }
  }

  func checkData() {
    forEachByte { offset, byte in
      check(byte == Self.pattern(token, offset), "byte \(offset) of \(byteCount) is not what was sent")
    }
  }
}
