package import BlockDevice
internal import JSONRPC
internal import Glibc

/// Where a controller is: what the interface calls a trid.
package struct TransportAddress: Sendable, Hashable {
  /// Upper case: "TCP"
  package var transportType: String
  /// Nil where neither the request nor the address's form says it.
  package var addressFamily: AddressFamily?
  package var host: String
  package var serviceIdentifier: String
  package var subsystemNQN: String

  static let maximumHostByteCount = 256
  static let maximumServiceByteCount = 32
  private static let maximumTypeByteCount = 32

  /// Checks what a request says, in the order that tells the first mistake.
  ///
  /// - Throws: -22, with the texts that clients know.
  init(
    transportType: String, addressFamily: String?, host: String, serviceIdentifier: String?, subsystemNQN: String?,
    defaultPort: UInt16
  ) throws(RPCError) {
    let type = transportType.uppercased()
    guard !type.isEmpty, type.utf8.count <= Self.maximumTypeByteCount else {
      throw .invalidArgument("Failed to parse trtype: \(transportType)")
    }
    self.transportType = type == "PCIE" ? "PCIe" : type
    try Self.check(host, "traddr", Self.maximumHostByteCount)
    self.host = host
    if let addressFamily {
      switch addressFamily.lowercased() {
      case "ipv4": self.addressFamily = .ipv4
      case "ipv6": self.addressFamily = .ipv6
      case "ib": self.addressFamily = .infiniBand
      case "fc": self.addressFamily = .fibreChannel
      case "intra_host": self.addressFamily = .intraHost
      default: throw .invalidArgument("Failed to parse adrfam: \(addressFamily)")
      }
    } else {
      // Upstream fails on a request without it; it can be told from an address.
      self.addressFamily = TargetIdentifier(host: host).addressFamily
    }
    try Self.check(serviceIdentifier ?? "", "trsvcid", Self.maximumServiceByteCount)
    self.serviceIdentifier = serviceIdentifier.flatMap { $0.isEmpty ? nil : $0 } ?? String(defaultPort)
    try Self.check(subsystemNQN ?? "", "subnqn", NVMeQualifiedName.maximumByteCount)
    self.subsystemNQN = subsystemNQN ?? ""
  }

  init(_ target: TargetIdentifier) {
    transportType = "TCP"
    addressFamily = target.addressFamily
    host = target.host
    serviceIdentifier = String(target.port)
    subsystemNQN = target.subsystemNQN
  }

  static func check(_ text: String, _ name: String, _ limit: Int) throws(RPCError) {
    if text.utf8.count > limit { throw .invalidArgument("\(name) too long: \(text)") }
  }

  /// The port, where it can be connected to at all.
  ///
  /// - Throws: -19 for transports and addresses that there is no way to.
  func port() throws(RPCError) -> UInt16 {
    guard transportType == "TCP" else {
      throw .system(ENODEV, detail: "there is no transport \(transportType), only TCP")
    }
    guard addressFamily == nil || addressFamily == .ipv4 || addressFamily == .ipv6 else {
      throw .system(ENODEV, detail: "adrfam \(addressFamilyText ?? "") is no family of TCP's")
    }
    guard let port = UInt16(serviceIdentifier), port > 0 else {
      throw .system(ENODEV, detail: "trsvcid is '\(serviceIdentifier)', must be a port: 1 to 65535")
    }
    return port
  }

  var addressFamilyText: String? {
    switch addressFamily {
    case .some(.ipv4): "IPv4"
    case .some(.ipv6): "IPv6"
    case .some(.infiniBand): "IB"
    case .some(.fibreChannel): "FC"
    default: nil
    }
  }

  /// As `trid`.
  var members: JSONObject {
    var members: JSONObject = ["trtype": .string(transportType)]
    if let addressFamilyText { members["adrfam"] = .string(addressFamilyText) }
    if !host.isEmpty { members["traddr"] = .string(host) }
    if !serviceIdentifier.isEmpty { members["trsvcid"] = .string(serviceIdentifier) }
    if !subsystemNQN.isEmpty { members["subnqn"] = .string(subsystemNQN) }
    return members
  }

  /// What tells two ways to a controller apart.
  func isSameWay(as other: TransportAddress) -> Bool {
    transportType == other.transportType && host == other.host && serviceIdentifier == other.serviceIdentifier
      && subsystemNQN == other.subsystemNQN
  }
}
