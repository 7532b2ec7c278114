internal import CCRC32C

/// Cuts a byte stream into PDUs: bytes in, events out, whatever the chunks (NVMe/TCP Transport Specification 1.1,
/// section 3.3.1).
///
/// Used by both ends. The owner calls ``next(_:)`` until it says that more bytes are needed. A header that lies whole in
/// the input is handed out where it lies; one that is split is put together in a small buffer. Payload is never
/// buffered: the owner copies each piece, or has received it into place already (``skipPayload(count:)``).
@frozen public struct PDUReceiver: ~Copyable {
  @frozen public enum Event: UInt8, Sendable {
    /// The input is used up.
    case needsMore
    /// A header has come whole and passed validation: read it at ``header``.
    case header
    /// A piece of payload: ``piece`` and ``pieceCount``. The owner updates ``digest`` when data digests are on.
    case payload
    /// The PDU has ended; ``hasDataDigestError`` tells about its data digest.
    case end
    /// A rule is broken: ``violation``. The receiver takes no more bytes.
    case violation
  }

  @usableFromInline enum Phase: UInt8 {
    case commonHeader
    case restOfHeader
    case padding
    case payload
    case dataDigest
    case end
    case failed
  }

  /// The longest header: ICReq and ICResp (128), or a termination request with the header it complains of (152); with
  /// a digest.
  @usableFromInline static let bufferByteCount = 160

  public let role: ConnectionRole
  public var parameters: ConnectionParameters {
    didSet { expected = ExpectedHeaders(role: role, parameters: parameters) }
  }
  @usableFromInline var expected: ExpectedHeaders

  @usableFromInline let buffer: UnsafeMutableRawPointer
  @usableFromInline var phase = Phase.commonHeader
  @usableFromInline var bufferedCount = 0
  /// Bytes of header with its digest, padding, payload or data digest still to come, by phase.
  @usableFromInline var remaining = 0

  /// The present PDU's header; valid after ``Event/header`` and ``Event/violation`` until the next call of ``next(_:)``,
  /// or until the input is gone.
  public private(set) var header: UnsafeRawPointer
  /// Bytes that may be read at ``header``: all of it, or only the common header when that one breaks a rule.
  public private(set) var headerByteCount = 0
  /// The present PDU's common header; valid from ``Event/header`` to ``Event/end``.
  public private(set) var common: PDUCommonHeader
  /// Payload bytes of the present PDU.
  public private(set) var payloadByteCount = 0
  public private(set) var piece: UnsafeRawPointer
  public private(set) var pieceCount = 0
  /// The running CRC32C of the present PDU's payload, kept by the owner while data digests are on.
  public var digest: UInt32 = 0
  public private(set) var hasDataDigestError = false
  public private(set) var violation: PDUViolation?

  public init(role: ConnectionRole, parameters: ConnectionParameters) {
    self.role = role
    self.parameters = parameters
    expected = ExpectedHeaders(role: role, parameters: parameters)
    buffer = .allocate(byteCount: Self.bufferByteCount, alignment: 8)
    buffer.initializeMemory(as: UInt8.self, repeating: 0, count: Self.bufferByteCount)
    header = UnsafeRawPointer(buffer)
    piece = UnsafeRawPointer(buffer)
    common = PDUCommonHeader(loading: UnsafeRawPointer(buffer))
  }

  deinit { buffer.deallocate() }

  /// True between PDUs: the stream may end here without cutting one.
  public var isBetweenPDUs: Bool { phase == .commonHeader && bufferedCount == 0 }

  /// Payload bytes still to come, while in the middle of a payload; else 0.
  public var remainingPayloadByteCount: Int { phase == .payload ? remaining : 0 }

  /// Tells that so many payload bytes have been received straight into place. The owner has updated ``digest``.
  public mutating func skipPayload(count: Int) {
    precondition(phase == .payload && count <= remaining)
    remaining -= count
    if remaining == 0 { finishPayload() }
  }

  /// After ``Event/header`` or ``Event/payload``: true, and the PDU is done with, when its end would be the next event
  /// and brings nothing new. Spares whoever asks a call.
  @inline(__always)
  mutating func endsHere() -> Bool {
    guard phase == .end else { return false }
    phase = .commonHeader
    return true
  }

  /// The next event. Bytes used are taken off the front of `input`.
  public mutating func next(_ input: inout UnsafeRawBufferPointer) -> Event {
    while true {
      switch phase {
      case .commonHeader:
        if bufferedCount == 0, input.count >= PDUCommonHeader.byteCount {
          // The usual case: look at the header where it lies, and take all of it at once if it is there.
          let start = input.baseAddress!
          common = PDUCommonHeader(loading: start)
          guard let total = acceptCommonHeader(start) else { return .violation }
          if input.count >= total {
            header = start
            input = UnsafeRawBufferPointer(rebasing: input[total...])
            return finishHeader(total: total)
          }
          remaining = total
        } else {
          if input.isEmpty { return .needsMore }
          collect(&input, upTo: PDUCommonHeader.byteCount)
          if bufferedCount < PDUCommonHeader.byteCount { return .needsMore }
          common = PDUCommonHeader(loading: UnsafeRawPointer(buffer))
          guard let total = acceptCommonHeader(UnsafeRawPointer(buffer)) else { return .violation }
          remaining = total
        }
        phase = .restOfHeader
      case .restOfHeader:
        let total = remaining
        collect(&input, upTo: total)
        if bufferedCount < total { return .needsMore }
        bufferedCount = 0
        header = UnsafeRawPointer(buffer)
        return finishHeader(total: total)
      case .padding:
        let count = min(remaining, input.count)
        input = UnsafeRawBufferPointer(rebasing: input[count...])
        remaining -= count
        if remaining > 0 { return .needsMore }
        beginPayload()
      case .payload:
        if input.isEmpty { return .needsMore }
        pieceCount = min(remaining, input.count)
        piece = input.baseAddress!
        input = UnsafeRawBufferPointer(rebasing: input[pieceCount...])
        remaining -= pieceCount
        if remaining == 0 { finishPayload() }
        return .payload
      case .dataDigest:
        collect(&input, upTo: 4)
        if bufferedCount < 4 { return .needsMore }
        bufferedCount = 0
        let received = UInt32(littleEndian: buffer.loadUnaligned(as: UInt32.self))
        hasDataDigestError = received != digest
        phase = .end
      case .end:
        phase = .commonHeader
        return .end
      case .failed:
        return .violation
      }
    }
  }

  private var isTerminationRequest: Bool {
    common.type == PDUType.controllerToHostTerminationRequest.rawValue
      || common.type == PDUType.hostToControllerTerminationRequest.rawValue
  }

  private mutating func collect(_ input: inout UnsafeRawBufferPointer, upTo wanted: Int) {
    let count = min(wanted - bufferedCount, input.count)
    guard count > 0 else { return }
    (buffer + bufferedCount).copyMemory(from: input.baseAddress!, byteCount: count)
    bufferedCount += count
    input = UnsafeRawBufferPointer(rebasing: input[count...])
  }

  /// Bytes up to the end of the header and its digest; nil, and failed, when the common header breaks a rule.
  private mutating func acceptCommonHeader(_ start: UnsafeRawPointer) -> Int? {
    if expected.accepts(common) {
      return Int(common.headerLength) + (common.flags.contains(.headerDigest) ? 4 : 0)
    }
    if let violation = PDUValidation.validateCommonHeader(common, receiver: role, parameters: parameters) {
      // HLEN may be a lie, and the rest of the header may never come: these eight bytes are all there is to show.
      header = start
      headerByteCount = PDUCommonHeader.byteCount
      fail(violation)
      return nil
    }
    // The header that a termination request complains of is taken along as part of its own; validation bounds it.
    if isTerminationRequest { return Int(common.length) }
    return Int(common.headerLength) + (common.flags.contains(.headerDigest) ? 4 : 0)
  }

  private mutating func finishHeader(total: Int) -> Event {
    let headerLength = Int(common.headerLength)
    headerByteCount = headerLength
    if common.flags.contains(.headerDigest) {
      let received = UInt32(littleEndian: (header + headerLength).loadUnaligned(as: UInt32.self))
      let computed = nvmeof_crc32c_extend(0, header, headerLength)
      if received != computed {
        fail(.headerDigest(type: common.type, computed: computed, received: received))
        return .violation
      }
    }
    if !isPlainlyValid,
      let violation = PDUValidation.validateSpecificHeader(common, headerBytes: header, parameters: parameters)
    {
      fail(violation)
      return .violation
    }
    hasDataDigestError = false
    digest = 0
    let dataOffset = Int(common.dataOffset)
    let dataDigestCount = common.flags.contains(.dataDigest) ? 4 : 0
    if dataOffset == 0 {
      payloadByteCount = 0
      phase = .end
    } else {
      // Validation has made sure that PDO lies behind the header and PLEN behind PDO.
      payloadByteCount = Int(common.length) - dataOffset - dataDigestCount
      remaining = dataOffset - total
      phase = .padding
      if remaining == 0 { beginPayload() }
    }
    return .header
  }

  /// True when what lies behind the common header certainly keeps the rules; else ``PDUValidation`` decides.
  @inline(__always)
  private var isPlainlyValid: Bool {
    switch common.type {
    case PDUType.capsuleResponse.rawValue, PDUType.capsuleCommand.rawValue:
      return true
    case PDUType.controllerToHostData.rawValue:
      let offset = header.loadLittleEndian(at: 12, as: UInt32.self)
      let length = header.loadLittleEndian(at: 16, as: UInt32.self)
      return offset & 3 == 0 && Int(length) == common.dataLength && !offset.addingReportingOverflow(length).overflow
    default:
      return false
    }
  }

  private mutating func beginPayload() {
    remaining = payloadByteCount
    phase = .payload
    if remaining == 0 { finishPayload() }
  }

  private mutating func finishPayload() {
    phase = common.flags.contains(.dataDigest) ? .dataDigest : .end
    bufferedCount = 0
  }

  private mutating func fail(_ violation: PDUViolation) {
    self.violation = violation
    phase = .failed
  }
}
