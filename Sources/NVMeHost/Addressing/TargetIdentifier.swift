public import NVMeProtocol

/// Where a subsystem is, and how to talk to it: what a user writes as a URI or as an SPDK-style transport identifier.
///
/// - `nvme+tcp://host:4420/NQN?nsid=1&hdgst=1`
/// - `trtype:TCP adrfam:IPv4 traddr:192.0.2.1 trsvcid:4420 subnqn:NQN ns:1`
///
/// Without an NQN it names the discovery service. The port is 4420 if not given, 8009 for the discovery service.
public struct TargetIdentifier: Hashable, Sendable {
  /// The port assigned for NVMe/TCP I/O controllers.
  public static let defaultPort: UInt16 = 4420
  /// The port assigned for the discovery service.
  public static let defaultDiscoveryPort: UInt16 = 8009

  public var transportType = TransportType.tcp
  /// A host name, or an IPv4 or IPv6 address without brackets; IPv6 may have a zone ("fe80::1%eth0").
  public var host: String
  public var port: UInt16
  public var subsystemNQN: String
  public var namespaceIdentifier: UInt32?
  public var headerDigest = false
  public var dataDigest = false
  /// I/O queues wished for.
  public var queueCount: Int?
  /// Commands outstanding at once on an I/O queue.
  public var queueDepth: Int?
  public var hostNQN: String?
  public var hostIdentifier: Identifier128?
  /// Keep alive timeout; 0 switches it off.
  public var keepAliveTimeoutMilliseconds: UInt32?

  /// - Parameter port: the default for the subsystem if nil.
  public init(host: String, port: UInt16? = nil, subsystemNQN: String = NVMeQualifiedName.discovery) {
    self.host = host
    self.subsystemNQN = subsystemNQN
    self.port = port ?? Self.defaultPort(for: subsystemNQN)
  }

  /// Parses either form.
  /// - Throws: ``TargetIdentifierError``, which names the part that is wrong and what to write instead.
  public init(parsing text: String) throws(TargetIdentifierError) {
    let trimmed = text.trimmingBlanks()
    if Self.beginsWithScheme(trimmed) {
      var parser = URIParser(text: trimmed)
      self = try parser.parse()
    } else if TransportIdentifierParser.isMeant(by: trimmed) {
      var parser = TransportIdentifierParser(text: trimmed)
      self = try parser.parse()
    } else {
      throw TargetIdentifierError(
        text: text, part: "", problem: "it is neither a URI nor a transport identifier",
        advice: "write nvme+tcp://HOST:PORT/NQN?nsid=1 or \"trtype:TCP traddr:ADDRESS trsvcid:PORT subnqn:NQN\"")
    }
  }

  /// Whether a text is meant as a target rather than as a file's name: not whether it is one. `./name` is a file for all
  /// that its name looks like.
  package static func isMeant(by text: String) -> Bool {
    text.contains("://") || TransportIdentifierParser.isMeant(by: text)
  }

  /// "://" may also stand in an NQN or a host name of a transport identifier: only behind a scheme (RFC 3986,
  /// section 3.1) does it make a URI.
  private static func beginsWithScheme(_ text: String) -> Bool {
    let (scheme, rest) = URIParser.split(text[...], at: "://")
    guard rest != nil else { return false }
    return scheme.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
        true
      default: false
      }
    }
  }

  static func defaultPort(for subsystemNQN: String) -> UInt16 {
    subsystemNQN == NVMeQualifiedName.discovery ? defaultDiscoveryPort : defaultPort
  }

  /// The well-known discovery service; discovery services with unique names cannot be told by their name.
  public var isDiscovery: Bool { subsystemNQN == NVMeQualifiedName.discovery }

  /// The host's address family; nil for a host name, which may have both.
  public var addressFamily: AddressFamily? { AddressLiteral.family(of: host) }

  /// "host:port", IPv6 in brackets.
  public var hostAndPort: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// The canonical URI; parsing it gives an equal value.
  public var uri: String {
    let hostText = host.contains(":") ? "[\(PercentCoding.encode(host, allowed: ":."))]" : PercentCoding.encode(host)
    let base = "nvme+\(transportType)://\(hostText):\(port)/\(PercentCoding.encode(subsystemNQN, allowed: ":/"))"
    let query = optionPairs.map { "\($0.0)=\(PercentCoding.encode($0.1, allowed: ":"))" }
    return query.isEmpty ? base : base + "?" + query.joined(separator: "&")
  }

  /// The SPDK-style transport identifier; parsing it gives an equal value.
  public var transportIdentifier: String {
    var parts = ["trtype:\(String(describing: transportType).uppercased())"]
    switch addressFamily {
    case .some(.ipv4): parts.append("adrfam:IPv4")
    case .some(.ipv6): parts.append("adrfam:IPv6")
    default: break
    }
    parts += ["traddr:\(host)", "trsvcid:\(port)", "subnqn:\(subsystemNQN)"]
    parts += optionPairs.map { "\($0.0 == "nsid" ? "ns" : $0.0):\($0.1)" }
    return parts.joined(separator: " ")
  }

  private var optionPairs: [(String, String)] {
    var pairs: [(String, String)] = []
    if let namespaceIdentifier { pairs.append(("nsid", String(namespaceIdentifier))) }
    if headerDigest { pairs.append(("hdgst", "1")) }
    if dataDigest { pairs.append(("ddgst", "1")) }
    if let queueCount { pairs.append(("queues", String(queueCount))) }
    if let queueDepth { pairs.append(("depth", String(queueDepth))) }
    if let hostNQN { pairs.append(("hostnqn", hostNQN)) }
    if let hostIdentifier { pairs.append(("hostid", hostIdentifier.uuidString)) }
    if let keepAliveTimeoutMilliseconds { pairs.append(("kato", String(keepAliveTimeoutMilliseconds))) }
    return pairs
  }
}

extension TargetIdentifier: CustomStringConvertible {
  public var description: String { uri }
}
