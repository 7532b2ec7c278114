/// A rule of the NVMe/TCP transport that a received PDU broke: what to report to the other side (FES, FEI) and to
/// people. Plain data, so that a validation that succeeds costs nothing for it.
@frozen
public struct PDUViolation: Error, Sendable, Hashable {
  /// FES.
  public var fatalErrorStatus: FatalErrorStatus
  /// FEI: byte offset of the field (``FatalErrorStatus/invalidPDUHeaderField``,
  /// ``FatalErrorStatus/unsupportedParameter``), the digest received (``FatalErrorStatus/headerDigestError``), or 0.
  public var fatalErrorInformation: UInt32
  /// PDU-Type of the offending PDU, as received.
  public var type: UInt8
  /// The field at fault.
  public var field: PDUField
  /// What it broke.
  public var rule: PDURule
  /// The bound of the rule, see ``PDURule``.
  public var expected: UInt64
  /// The field as received.
  public var received: UInt64

  /// - Parameter fatalErrorInformation: nil takes what `fatalErrorStatus` asks for: the offset of `field`, the digest
  ///   received, or 0.
  @inlinable
  public init(
    _ fatalErrorStatus: FatalErrorStatus, type: UInt8, field: PDUField, rule: PDURule, expected: UInt64,
    received: UInt64
  ) {
    self.fatalErrorStatus = fatalErrorStatus
    switch fatalErrorStatus {
    case .invalidPDUHeaderField, .unsupportedParameter: fatalErrorInformation = field.byteOffset
    case .headerDigestError: fatalErrorInformation = UInt32(truncatingIfNeeded: received)
    case .pduSequenceError, .dataTransferOutOfRange, .limitExceeded: fatalErrorInformation = 0
    }
    self.type = type
    self.field = field
    self.rule = rule
    self.expected = expected
    self.received = received
  }

  /// A header digest that does not fit the header.
  @inlinable
  public static func headerDigest(type: UInt8, computed: UInt32, received: UInt32) -> PDUViolation {
    PDUViolation(
      .headerDigestError, type: type, field: .headerDigest, rule: .equal, expected: UInt64(computed),
      received: UInt64(received))
  }

  /// Whether a termination request may be sent for it. A termination request is never answered by another one: the
  /// connection is closed (NVMe/TCP Transport Specification, section 3.5).
  @inlinable
  public var isReportable: Bool {
    type != PDUType.hostToControllerTerminationRequest.rawValue
      && type != PDUType.controllerToHostTerminationRequest.rawValue
  }
}

extension PDUViolation: CustomStringConvertible {
  /// A sentence for people: the PDU, the field and its offset, what came and what was expected.
  public var description: String {
    let pdu = PDUType(rawValue: type).map { "\($0.abbreviation)" } ?? "PDU of type \(Self.hexadecimal(UInt64(type)))"
    let isBits = field == .flags || field == .digests || field == .headerDigest || field == .dataDigest
    let got = isBits ? Self.hexadecimal(received) : "\(received)"
    let bound = isBits ? Self.hexadecimal(expected) : "\(expected)"
    let place: String
    switch field {
    case .headerDigest, .dataDigest: place = "\(field.abbreviation)"
    default: place = "\(field.abbreviation) (byte \(field.byteOffset))"
    }
    switch rule {
    case .knownType: return "\(pdu): no such type in NVMe/TCP"
    case .direction: return "\(pdu): is sent by this side of the connection and cannot be received by it"
    case .phase:
      return fatalErrorStatus == .pduSequenceError && isInitialization
        ? "\(pdu): received a second time; the connection is already initialized"
        : "\(pdu): received before the connection was initialized"
    case .equal: return "\(pdu): \(place) is \(got), expected \(bound)"
    case .atLeast: return "\(pdu): \(place) is \(got), expected at least \(bound)"
    case .atMost: return "\(pdu): \(place) is \(got), expected at most \(bound)"
    case .multipleOf: return "\(pdu): \(place) is \(got), expected a multiple of \(bound)"
    case .onlyBits: return "\(pdu): \(place) is \(got), only the bits \(bound) may be set"
    case .bitsSet: return "\(pdu): \(place) is \(got), the bits \(bound) must be set as negotiated"
    case .bitsClear: return "\(pdu): \(place) is \(got), the bits \(bound) must be clear as negotiated"
    case .successOnlyWithLast: return "\(pdu): \(place) is \(got), SUCCESS without LAST_PDU"
    case .matchesData: return "\(pdu): \(place) is \(got), but the PDU has \(bound) bytes of data"
    case .withinRange: return "\(pdu): \(place) is \(got), which reaches beyond byte \(bound)"
    case .outstanding: return "\(pdu): \(place) is \(got), which names nothing outstanding"
    case .inOrder: return "\(pdu): \(place) is \(got), expected \(bound) next"
    }
  }

  private var isInitialization: Bool {
    type == PDUType.initializeConnectionRequest.rawValue || type == PDUType.initializeConnectionResponse.rawValue
  }

  private static func hexadecimal(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
