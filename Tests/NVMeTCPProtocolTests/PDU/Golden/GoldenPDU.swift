import CCRC32C
import NVMeTCPProtocol
import TestSupport
import Testing

/// One PDU as it is on the wire, and how this package builds it.
///
/// The bytes were put together field by field from the specification's figures by a separate script, digests by a
/// bitwise CRC32C of its own, not by the code under test.
struct GoldenPDU: Sendable, CustomTestStringConvertible {
  var name: String
  /// Section of the NVMe/TCP Transport Specification, revision 1.0a.
  var section: String
  var parameters: ConnectionParameters
  var receiver: ConnectionRole
  var bytes: [UInt8]
  /// Data the PDU carries.
  var data: [UInt8] = []
  /// The header without digest, as this package encodes it.
  var encodeHeader: @Sendable (ConnectionParameters) -> [UInt8]
  /// Decodes the bytes and encodes them again, field by field.
  var reencodeHeader: @Sendable (UnsafeRawPointer) -> [UInt8]

  var testDescription: String { name }

  /// The whole PDU: header, header digest, padding, data, data digest.
  func encode() -> [UInt8] {
    var bytes = encodeHeader(parameters)
    let type = PDUType(rawValue: bytes[0])!
    let layout = PDULayout(type: type, dataLength: data.count, parameters: parameters)
    if layout.headerDigestByteCount > 0 { bytes += digest(bytes) }
    bytes += [UInt8](repeating: 0, count: layout.paddingByteCount)
    bytes += data
    if layout.dataDigestByteCount > 0 { bytes += digest(data) }
    return bytes
  }

  static let all: [GoldenPDU] =
    ICRequestVectors.all + ICResponseVectors.all + TerminationRequestVectors.all + CapsuleCommandVectors.all
    + CapsuleResponseVectors.all + H2CDataVectors.all + C2HDataVectors.all + ReadyToTransferVectors.all

  /// Sixteen bytes of data used by the vectors.
  static let data = hexadecimal("01080f161d242b323940474e555c636a")

  static func parameters(
    headerDigest: Bool = false, dataDigest: Bool = false, hostAlignment: Int = 4, controllerAlignment: Int = 4
  ) -> ConnectionParameters {
    var parameters = ConnectionParameters()
    parameters.initialized = true
    parameters.headerDigest = headerDigest
    parameters.dataDigest = dataDigest
    parameters.hostPDUDataAlignmentBytes = hostAlignment
    parameters.controllerPDUDataAlignmentBytes = controllerAlignment
    parameters.maximumH2CDataLength = 131_072
    return parameters
  }
}

/// The CRC32C of `bytes` as it goes on the wire.
func digest(_ bytes: [UInt8]) -> [UInt8] {
  let value = bytes.withUnsafeBytes { nvmeof_crc32c_extend_portable(0, $0.baseAddress, $0.count) }
  return (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
}

/// `count` bytes that `store` writes.
func stored(_ count: Int, _ store: (UnsafeMutableRawPointer) -> Void) -> [UInt8] {
  var bytes = [UInt8](repeating: 0xEE, count: count)
  bytes.withUnsafeMutableBytes { store($0.baseAddress!) }
  return bytes
}
