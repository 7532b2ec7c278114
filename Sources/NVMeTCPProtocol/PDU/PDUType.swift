/// The PDU types of NVMe/TCP (NVMe/TCP Transport Specification, section 3.6.2, "PDU Header"; the PDU-Type field).
///
/// Types with the lowest bit clear travel from the host to the controller, the others from the controller to the host.
@frozen
public enum PDUType: UInt8, Sendable, CaseIterable {
  /// ICReq: the host asks to initialize the connection.
  case initializeConnectionRequest = 0x00
  /// ICResp: the controller's answer to ICReq.
  case initializeConnectionResponse = 0x01
  /// H2CTermReq: the host ends the connection because of a fatal transport error.
  case hostToControllerTerminationRequest = 0x02
  /// C2HTermReq: the controller ends the connection because of a fatal transport error.
  case controllerToHostTerminationRequest = 0x03
  /// CapsuleCmd: a submission queue entry, and in-capsule data where there is any.
  case capsuleCommand = 0x04
  /// CapsuleResp: a completion queue entry.
  case capsuleResponse = 0x05
  /// H2CData: data the controller asked for with an R2T.
  case hostToControllerData = 0x06
  /// C2HData: data of a command that reads.
  case controllerToHostData = 0x07
  /// R2T: the controller asks for data of a command that writes.
  case readyToTransfer = 0x09

  /// Who receives PDUs of this type.
  @inlinable
  public var receiver: ConnectionRole { rawValue & 1 == 0 ? .controller : .host }

  /// The abbreviation the specification uses, such as "ICReq".
  public var abbreviation: StaticString {
    switch self {
    case .initializeConnectionRequest: "ICReq"
    case .initializeConnectionResponse: "ICResp"
    case .hostToControllerTerminationRequest: "H2CTermReq"
    case .controllerToHostTerminationRequest: "C2HTermReq"
    case .capsuleCommand: "CapsuleCmd"
    case .capsuleResponse: "CapsuleResp"
    case .hostToControllerData: "H2CData"
    case .controllerToHostData: "C2HData"
    case .readyToTransfer: "R2T"
    }
  }

  /// HLEN of this type: the bytes of its header without the digest.
  @inlinable
  public var headerByteCount: Int {
    switch self {
    case .initializeConnectionRequest: ICRequest.byteCount
    case .initializeConnectionResponse: ICResponse.byteCount
    case .hostToControllerTerminationRequest, .controllerToHostTerminationRequest:
      TerminationRequest.headerByteCount
    case .capsuleCommand: CapsuleCommandHeader.byteCount
    case .capsuleResponse: CapsuleResponseHeader.byteCount
    case .hostToControllerData: H2CDataHeader.byteCount
    case .controllerToHostData: C2HDataHeader.byteCount
    case .readyToTransfer: ReadyToTransferHeader.byteCount
    }
  }

  /// The longest header of any type, without the digest: 128 bytes (ICReq and ICResp).
  @inlinable
  public static var maximumHeaderByteCount: Int { 128 }
}
