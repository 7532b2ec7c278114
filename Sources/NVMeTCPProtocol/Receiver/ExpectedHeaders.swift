/// The common headers that a receiver sees by far the most, as bit patterns: on one connection a valid header of these
/// types is fixed but for a few bits, so that one comparison accepts it. What does not match is no violation yet:
/// ``PDUValidation`` decides, and names the rule.
@usableFromInline struct ExpectedHeaders {
  /// Before ICReq and ICResp nothing is expected: any bit pattern may come, so none can stand for "no header".
  private let isInitialized: Bool
  /// The whole header of the type without data: CapsuleResp to a host, CapsuleCmd without data to a controller.
  private var plain: UInt64 = 0
  /// PDU-Type, FLAGS without LAST_PDU and SUCCESS, HLEN and PDO of the type with data: C2HData or H2CData.
  private var data: UInt32 = 0
  /// PLEN must be more than this: up to the data, and the data digest.
  private var dataMinimumLength: UInt32 = 0
  /// FLAGS that a data PDU may have beside.
  private var variableFlags: UInt32 = 0

  private static let last = UInt32(PDUFlags.last.rawValue) << 8
  private static let success = UInt32(PDUFlags.success.rawValue) << 8

  init(role: ConnectionRole, parameters: ConnectionParameters) {
    isInitialized = parameters.initialized
    guard isInitialized else { return }
    plain =
      PDUCommonHeader(
        type: role == .host ? .capsuleResponse : .capsuleCommand, dataLength: 0, parameters: parameters
      ).word
    let type = role == .host ? PDUType.controllerToHostData : .hostToControllerData
    let layout = PDULayout(type: type, dataLength: 1, parameters: parameters)
    data = UInt32(
      truncatingIfNeeded: PDUCommonHeader(type: type, dataLength: 1, parameters: parameters).word)
    dataMinimumLength = UInt32(layout.dataOffset + layout.dataDigestByteCount)
    variableFlags = role == .host ? Self.last | Self.success : Self.last
  }

  /// True when the header is certainly valid.
  @inline(__always)
  func accepts(_ header: PDUCommonHeader) -> Bool {
    guard isInitialized else { return false }
    if header.word == plain { return true }
    let low = UInt32(truncatingIfNeeded: header.word)
    return low & ~variableFlags == data && header.length > dataMinimumLength
      && low & (Self.last | Self.success) != Self.success
  }
}
