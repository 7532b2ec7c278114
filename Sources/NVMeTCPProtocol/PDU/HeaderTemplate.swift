/// The common header of one type of PDU as this side sends it on one connection: everything but LAST_PDU and PLEN is
/// settled by ICReq and ICResp, so it is worked out once, not for every PDU.
struct HeaderTemplate {
  /// PDU-Type, FLAGS, HLEN, PDO, and PLEN of the PDU without its data.
  private let word: UInt64
  /// Bytes from the start of the PDU to its data, or to its end where it has none.
  let dataOffset: Int
  let paddingByteCount: Int

  init(_ type: PDUType, hasData: Bool, parameters: ConnectionParameters) {
    var layout = PDULayout(type: type, dataLength: hasData ? 1 : 0, parameters: parameters)
    dataOffset = layout.dataOffset
    paddingByteCount = layout.paddingByteCount
    let header = PDUCommonHeader(type: type, dataLength: hasData ? 1 : 0, parameters: parameters)
    layout.dataByteCount = 0
    word = header.word & 0xFFFF_FFFF | UInt64(layout.byteCount) << 32
  }

  /// The header for so many bytes of data.
  @inline(__always)
  func header(dataByteCount: Int, isLast: Bool = false) -> PDUCommonHeader {
    let flags = isLast ? UInt64(PDUFlags.last.rawValue) << 8 : 0
    return PDUCommonHeader(word: (word &+ UInt64(dataByteCount) << 32) | flags)
  }
}
