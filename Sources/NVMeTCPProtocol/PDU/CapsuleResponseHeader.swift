/// Header of a response capsule, CapsuleResp (NVMe/TCP Transport Specification, section 3.6.2.7): 24 bytes, no data.
///
/// Flags: HDGSTF. The 16 bytes of the completion queue entry are written and read in place, at
/// ``completionQueueEntryOffset``, by their own type.
@frozen
public struct CapsuleResponseHeader: Sendable, Hashable {
  public var common: PDUCommonHeader

  /// Bytes on the wire, completion queue entry included; also HLEN.
  @inlinable
  public static var byteCount: Int { 24 }

  /// Bytes from the start of the PDU to the completion queue entry (RCCQE).
  @inlinable
  public static var completionQueueEntryOffset: Int { 8 }

  @inlinable
  public init(parameters: ConnectionParameters) {
    common = PDUCommonHeader(type: .capsuleResponse, dataLength: 0, parameters: parameters)
  }

  /// Reads the common header at `source`, which needs no alignment.
  @inlinable
  public init(loading source: UnsafeRawPointer) {
    common = PDUCommonHeader(loading: source)
  }

  /// Writes the common header at `destination`; the completion queue entry behind it is not touched.
  @inlinable
  public func store(to destination: UnsafeMutableRawPointer) {
    common.store(to: destination)
  }
}
