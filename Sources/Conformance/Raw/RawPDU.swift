internal import NVMeTCPProtocol

/// One PDU as it came, its digests taken off.
struct RawPDU {
  let common: PDUCommonHeader
  /// HLEN bytes.
  let header: [UInt8]
  let data: [UInt8]

  func load<Header>(_ initializer: (UnsafeRawPointer) -> Header) -> Header {
    header.withUnsafeBytes { initializer($0.baseAddress!) }
  }
}
