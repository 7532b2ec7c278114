/// The content of the simulated namespace, which all controllers share, and what the application knows of it.
///
/// A block holds one number, over and over, and its own: word = number × 256 + block.
final class SimulatedStore {
  static let blockCount = 64
  static let blockByteCount = 512
  /// What the application's memory holds while it is not lent.
  static let poison: UInt64 = 0xDEAD_BEEF_DEAD_BEEF

  var disk = ModelDisk(blockCount: SimulatedStore.blockCount)
  /// Numbers of writes that were reported as not sent: they must never be executed.
  private(set) var unsent: Set<UInt64> = []
  private var executed: Set<UInt64> = []
  private let timeline: Timeline

  init(timeline: Timeline) { self.timeline = timeline }

  static func word(_ value: UInt64, block: Int) -> UInt64 { value << 8 | UInt64(block) }

  static func fill(_ memory: UnsafeMutableRawPointer, _ value: UInt64, block: Int) {
    for offset in stride(from: 0, to: blockByteCount, by: 8) {
      memory.storeBytes(of: word(value, block: block), toByteOffset: offset, as: UInt64.self)
    }
  }

  /// The number in a block's bytes; nil when they are not of one piece, or another block's.
  static func value(_ memory: UnsafeRawPointer, block: Int) -> UInt64? {
    let first = memory.loadUnaligned(as: UInt64.self)
    guard first & 0xFF == UInt64(block) else { return nil }
    for offset in stride(from: 8, to: blockByteCount, by: 8)
    where memory.loadUnaligned(fromByteOffset: offset, as: UInt64.self) != first { return nil }
    return first >> 8
  }

  func execute(_ values: [UInt64], at block: Int) {
    for (offset, value) in values.enumerated() {
      if unsent.contains(value) { timeline.violate("write \(value), reported as not sent, is executed") }
      executed.insert(value)
      disk.execute(value, at: block + offset)
      timeline.note(value)
    }
    timeline.tell("blocks from \(block): \(values) executed")
  }

  /// The application has been told that a write was not sent.
  func noteUnsent(_ value: UInt64) {
    if executed.contains(value) { timeline.violate("write \(value), executed before, is reported as not sent") }
    unsent.insert(value)
  }
}
