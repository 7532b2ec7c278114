import CCRC32C
import NVMeProtocol
import NVMeTCPProtocol

/// Puts a PDU of the controller's together, with digests as agreed upon; the input may have one byte of it changed.
struct ScriptedPDU {
  enum Damage {
    case none
    /// A byte of the header is changed before the digest is made: only the rules of the engine stand against it.
    case header(offset: Int, value: UInt8)
    case headerDigest
    case dataDigest
  }

  var headerByteCount: Int
  var data: [UInt8] = []

  func bytes(parameters: ConnectionParameters, damage: Damage, store: (UnsafeMutableRawPointer) -> Void) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: headerByteCount)
    header.withUnsafeMutableBytes { store($0.baseAddress!) }
    let common = header.withUnsafeBytes { PDUCommonHeader(loading: $0.baseAddress!) }
    if case .header(let offset, let value) = damage { header[offset % headerByteCount] = value }
    var result = header
    if common.flags.contains(.headerDigest) {
      var digest = header.withUnsafeBytes { nvmeof_crc32c_extend(0, $0.baseAddress, $0.count) }
      if case .headerDigest = damage { digest ^= 0x10 }
      result += Self.littleEndian(digest)
    }
    guard !data.isEmpty else { return result }
    let padding = Int(common.dataOffset) - result.count
    result += [UInt8](repeating: 0, count: max(0, padding))
    result += data
    if common.flags.contains(.dataDigest) {
      var digest = data.withUnsafeBytes { nvmeof_crc32c_extend(0, $0.baseAddress, $0.count) }
      if case .dataDigest = damage { digest ^= 0x10 }
      result += Self.littleEndian(digest)
    }
    return result
  }

  private static func littleEndian(_ value: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32($0 * 8)) }
  }
}
