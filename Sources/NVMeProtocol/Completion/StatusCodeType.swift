/// Status Code Type, three bits (NVMe Base 2.1, figure 101). A struct, as the wire may carry any value.
@frozen
public struct StatusCodeType: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
  public var rawValue: UInt8
  @inlinable
  public init(rawValue: UInt8) { self.rawValue = rawValue & 0b111 }

  @inlinable
  public static var generic: StatusCodeType { StatusCodeType(rawValue: 0) }
  @inlinable
  public static var commandSpecific: StatusCodeType { StatusCodeType(rawValue: 1) }
  @inlinable
  public static var mediaAndDataIntegrity: StatusCodeType { StatusCodeType(rawValue: 2) }
  @inlinable
  public static var pathRelated: StatusCodeType { StatusCodeType(rawValue: 3) }
  @inlinable
  public static var vendorSpecific: StatusCodeType { StatusCodeType(rawValue: 7) }

  /// As the specification writes it.
  public var name: String {
    switch rawValue {
    case 0: "Generic Command Status"
    case 1: "Command Specific Status"
    case 2: "Media and Data Integrity Errors"
    case 3: "Path Related Status"
    case 7: "Vendor Specific"
    default: "Reserved status code type \(rawValue)"
    }
  }
}
