/// Header of a command capsule, CapsuleCmd (NVMe/TCP Transport Specification, section 3.6.2.6): 72 bytes.
///
/// Flags: HDGSTF; DDGSTF where there is in-capsule data. The 64 bytes of the submission queue entry are written and
/// read in place, at ``submissionQueueEntryOffset``, by their own type: nothing is copied on the way of an I/O.
@frozen
public struct CapsuleCommandHeader: Sendable, Hashable {
  public var common: PDUCommonHeader

  /// Bytes on the wire, submission queue entry included; also HLEN.
  @inlinable
  public static var byteCount: Int { 72 }

  /// Bytes from the start of the PDU to the submission queue entry (CCSQE).
  @inlinable
  public static var submissionQueueEntryOffset: Int { 8 }

  /// - Parameter dataLength: bytes of in-capsule data; 0 for none.
  @inlinable
  public init(dataLength: Int, parameters: ConnectionParameters) {
    common = PDUCommonHeader(type: .capsuleCommand, dataLength: dataLength, parameters: parameters)
  }

  /// Reads the common header at `source`, which needs no alignment.
  @inlinable
  public init(loading source: UnsafeRawPointer) {
    common = PDUCommonHeader(loading: source)
  }

  /// Writes the common header at `destination`; the submission queue entry behind it is not touched.
  @inlinable
  public func store(to destination: UnsafeMutableRawPointer) {
    common.store(to: destination)
  }
}
