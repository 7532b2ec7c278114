/// The DGST field of ICReq (digests the host wants) and of ICResp (digests the connection will have).
@frozen
public struct PDUDigests: OptionSet, Sendable, Hashable {
  public let rawValue: UInt8

  @inlinable
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// HDGST_ENABLE.
  @inlinable
  public static var header: PDUDigests { PDUDigests(rawValue: 1 << 0) }

  /// DDGST_ENABLE.
  @inlinable
  public static var data: PDUDigests { PDUDigests(rawValue: 1 << 1) }
}
