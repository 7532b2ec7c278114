import NVMeTCPProtocol

enum PDUDecoders {
  static let all: [@Sendable (inout FuzzInput) -> Void] = [
    { header(&$0, ICRequest.byteCount, ICRequest.init(loading:)) { $0.store(to: $1) } },
    { header(&$0, ICResponse.byteCount, ICResponse.init(loading:)) { $0.store(to: $1) } },
    { header(&$0, C2HDataHeader.byteCount, C2HDataHeader.init(loading:)) { $0.store(to: $1) } },
    { header(&$0, H2CDataHeader.byteCount, H2CDataHeader.init(loading:)) { $0.store(to: $1) } },
    { header(&$0, ReadyToTransferHeader.byteCount, ReadyToTransferHeader.init(loading:)) { $0.store(to: $1) } },
    { header(&$0, CapsuleCommandHeader.byteCount, CapsuleCommandHeader.init(loading:)) { $0.store(to: $1) } },
    { header(&$0, CapsuleResponseHeader.byteCount, CapsuleResponseHeader.init(loading:)) { $0.store(to: $1) } },
    { header(&$0, TerminationRequest.headerByteCount, TerminationRequest.init(loading:)) { $0.store(to: $1) } },
    validate,
  ]

  /// What is loaded, stored and loaded again is the same.
  private static func header<Header: Equatable>(
    _ input: inout FuzzInput, _ count: Int, _ load: (UnsafeRawPointer) -> Header,
    _ store: (Header, UnsafeMutableRawPointer) -> Void
  ) {
    let bytes = input.take(count)
    guard bytes.count == count else { return }
    let value = bytes.withUnsafeBytes { load($0.baseAddress!) }
    var stored = [UInt8](repeating: 0xEE, count: count)
    stored.withUnsafeMutableBytes { store(value, $0.baseAddress!) }
    let again = stored.withUnsafeBytes { load($0.baseAddress!) }
    check(again == value, "\(Header.self) is not stable")
  }

  static func parameters(_ input: inout FuzzInput) -> ConnectionParameters {
    var parameters = ConnectionParameters()
    let choice = input.byte()
    parameters.initialized = choice & 1 != 0
    parameters.headerDigest = choice & 2 != 0
    parameters.dataDigest = choice & 4 != 0
    if choice & 8 != 0 {
      parameters.hostPDUDataAlignmentBytes = (Int(input.byte() % 32) + 1) * 4
      parameters.controllerPDUDataAlignmentBytes = (Int(input.byte() % 32) + 1) * 4
    }
    parameters.maximumH2CDataLength = choice & 16 != 0 ? 4096 : .max - 3
    parameters.maximumInCapsuleDataLength = choice & 32 != 0 ? .max : 8192
    return parameters
  }

  /// The rules on any bytes: as many bytes as the type's header has, an allocation of just that length.
  @Sendable private static func validate(_ input: inout FuzzInput) {
    let parameters = parameters(&input)
    let receiver: ConnectionRole = input.byte() & 1 == 0 ? .host : .controller
    let bytes = input.take(128)
    guard bytes.count >= PDUCommonHeader.byteCount else { return }
    let common = bytes.withUnsafeBytes { PDUCommonHeader(loading: $0.baseAddress!) }
    guard bytes.count >= common.pduType?.headerByteCount ?? PDUCommonHeader.byteCount else { return }
    let count = common.pduType?.headerByteCount ?? PDUCommonHeader.byteCount
    let exact = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 1)
    defer { exact.deallocate() }
    bytes.withUnsafeBytes { exact.copyMemory(from: $0.baseAddress!, byteCount: count) }
    let violation = PDUValidation.validate(common, headerBytes: exact, receiver: receiver, parameters: parameters)
    if let violation {
      check(!violation.description.isEmpty, "a violation without a description")
    } else {
      check(common.dataLength <= Int(common.length), "more data than PDU")
    }
  }
}
