/// TRTYPE of a discovery log entry (NVMe Base 2.1, figure 294). A struct, as the wire may carry any value.
public struct TransportType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let rdma = TransportType(rawValue: 1)
  public static let fibreChannel = TransportType(rawValue: 2)
  public static let tcp = TransportType(rawValue: 3)
  public static let intraHost = TransportType(rawValue: 254)

  /// As tools write it.
  public var description: String {
    switch rawValue {
    case 1: "rdma"
    case 2: "fc"
    case 3: "tcp"
    case 254: "loop"
    default: "unrecognized (\(rawValue))"
    }
  }
}

/// ADRFAM of a discovery log entry.
public struct AddressFamily: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  public static let ipv4 = AddressFamily(rawValue: 1)
  public static let ipv6 = AddressFamily(rawValue: 2)
  public static let infiniBand = AddressFamily(rawValue: 3)
  public static let fibreChannel = AddressFamily(rawValue: 4)
  public static let intraHost = AddressFamily(rawValue: 254)

  /// As tools write it.
  public var description: String {
    switch rawValue {
    case 1: "ipv4"
    case 2: "ipv6"
    case 3: "ib"
    case 4: "fc"
    case 254: "loop"
    default: "unrecognized (\(rawValue))"
    }
  }
}
