/// The status of a completed command, without the phase tag (NVMe Base 2.1, section 4.2.3, figure 100).
///
/// Bits 7:0 Status Code, 10:8 Status Code Type, 12:11 Command Retry Delay, 13 More, 14 Do Not Retry.
@frozen
public struct StatusField: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
  public var rawValue: UInt16

  /// Bit 15 does not exist on the wire and is dropped.
  @inlinable
  public init(rawValue: UInt16) { self.rawValue = rawValue & 0x7FFF }

  @inlinable
  public init(
    _ type: StatusCodeType, _ code: UInt8, commandRetryDelay: UInt8 = 0, more: Bool = false, doNotRetry: Bool = false
  ) {
    rawValue =
      UInt16(code) | UInt16(type.rawValue) << 8 | UInt16(commandRetryDelay & 0b11) << 11
      | (more ? 1 << 13 : 0) | (doNotRetry ? 1 << 14 : 0)
  }

  /// Whether type and code are both 0; the other bits do not matter.
  @inlinable
  public var isSuccess: Bool { rawValue & 0x7FF == 0 }

  @inlinable
  public var statusCodeType: StatusCodeType { StatusCodeType(rawValue: UInt8(truncatingIfNeeded: rawValue >> 8)) }

  @inlinable
  public var statusCode: UInt8 { UInt8(truncatingIfNeeded: rawValue) }

  /// CRD: 0 means retry at once, 1 to 3 index the controller's CRDT1 to CRDT3.
  @inlinable
  public var commandRetryDelay: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 11) & 0b11 }

  /// The Error Information log has more about it.
  @inlinable
  public var more: Bool { rawValue & 1 << 13 != 0 }

  /// The same command would fail again on this controller.
  @inlinable
  public var doNotRetry: Bool {
    get { rawValue & 1 << 14 != 0 }
    set { rawValue = rawValue & ~(1 << 14) | (newValue ? 1 << 14 : 0) }
  }

  /// Type and code alone, in bits 10:0: what to compare when the retry bits do not matter.
  @inlinable
  public var typeAndCode: StatusField { StatusField(rawValue: rawValue & 0x7FF) }

  /// Whether type and code are the same; retry delay, More and DNR are not looked at.
  @inlinable
  public func matches(_ other: StatusField) -> Bool { (rawValue ^ other.rawValue) & 0x7FF == 0 }
}

extension StatusField: CustomStringConvertible {
  /// Name, type and code in hexadecimal, and the flags that are set: "LBA Out of Range (SCT 0h, SC 80h, DNR)".
  public var description: String { text(named: name) }

  /// As ``description``, where the kind of the command is known: one name where a code has two.
  public func description(for kind: CommandKind) -> String { text(named: name(for: kind)) }

  private func text(named name: String) -> String {
    var flags = ""
    if commandRetryDelay != 0 { flags += ", CRD \(commandRetryDelay)" }
    if more { flags += ", More" }
    if doNotRetry { flags += ", DNR" }
    return "\(name) (SCT \(String(statusCodeType.rawValue, radix: 16))h, SC \(hexadecimal(statusCode))\(flags))"
  }
}
