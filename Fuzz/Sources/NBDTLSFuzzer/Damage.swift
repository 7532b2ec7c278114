/// What happens to a client's ciphertext on its way, once, at a place that the input chooses.
struct Damage {
  private enum Kind: CaseIterable {
    case changed
    /// All that follows is lost.
    case cut
    case inserted
    case removed
    /// What came last comes again.
    case repeated
    /// The whole piece comes again: a record.
    case replayed
  }

  private let kind: Kind
  private let offset: Int
  private let count: Int
  private let value: UInt8
  private var position = 0
  private(set) var hasHappened = false

  init(_ input: inout FuzzInput) {
    kind = Kind.allCases[input.below(Kind.allCases.count)]
    // A handshake has about 400 bytes.
    offset = Int(input.word() & 0x7FF)
    count = Int(input.byte()) + 1
    value = max(1, input.byte())
  }

  /// - Returns: what becomes of `piece`, and whether its beginning is a piece that is as it was.
  mutating func apply(_ piece: [UInt8]) -> (bytes: [UInt8], isWhole: Bool) {
    let place = offset - position
    position += piece.count
    if hasHappened { return (kind == .cut ? [] : piece, kind != .cut) }
    guard place < piece.count else { return (piece, true) }
    hasHappened = true
    var bytes = piece
    switch kind {
    case .changed: bytes[place] ^= value
    case .cut: bytes.removeSubrange(place...)
    case .inserted: bytes.insert(contentsOf: repeatElement(value, count: count), at: place)
    case .removed: bytes.removeSubrange(place..<min(place + count, bytes.count))
    case .repeated: bytes += bytes.suffix(count)
    case .replayed: bytes += piece
    }
    return (bytes, kind == .repeated || kind == .replayed)
  }
}
