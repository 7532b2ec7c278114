import CCRC32C
import NVMeProtocol
import NVMeTCPProtocol

/// The bytes of one PDU, open to be changed.
struct WirePDU {
  var bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// A response capsule.
  init(_ completion: CompletionQueueEntry, headerDigest: Bool) {
    bytes = [PDUType.capsuleResponse.rawValue, headerDigest ? 1 : 0, 24, 0, headerDigest ? 28 : 24, 0, 0, 0]
    bytes += completion.encode()
    if headerDigest { bytes += [0, 0, 0, 0] }
    seal()
  }

  private var common: PDUCommonHeader { bytes.withUnsafeBytes { PDUCommonHeader(loading: $0.baseAddress!) } }

  /// Nil for what is no PDU.
  var type: PDUType? {
    guard bytes.count >= PDUCommonHeader.byteCount, let type = common.pduType, bytes.count >= type.headerByteCount
    else {
      return nil
    }
    return type
  }

  var flags: PDUFlags {
    get { common.flags }
    set { bytes[1] = newValue.rawValue }
  }

  /// Where its data is; empty where it has none.
  var dataRange: Range<Int> {
    guard type != nil else { return 0..<0 }
    let start = Int(common.dataOffset)
    return start..<start + common.dataLength
  }

  /// A little-endian field.
  func number(at offset: Int, count: Int) -> UInt64 {
    bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  mutating func set(_ value: UInt64, at offset: Int, count: Int) {
    for index in 0..<count { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
  }

  /// The completion of a response capsule.
  var completion: CompletionQueueEntry {
    get { bytes.withUnsafeBytes { CompletionQueueEntry(loading: $0.baseAddress! + 8) } }
    set { bytes.replaceSubrange(8..<24, with: newValue.encode()) }
  }

  /// Makes the digests that it has right.
  mutating func seal() {
    let headerByteCount = Int(common.headerLength)
    if common.flags.contains(.headerDigest) {
      set(Self.digest(bytes[..<headerByteCount]), at: headerByteCount, count: 4)
    }
    if common.flags.contains(.dataDigest) { set(Self.digest(bytes[dataRange]), at: dataRange.upperBound, count: 4) }
  }

  private static func digest(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    UInt64(bytes.withUnsafeBytes { nvmeof_crc32c_extend(0, $0.baseAddress, $0.count) })
  }
}
