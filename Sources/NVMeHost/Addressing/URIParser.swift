internal import NVMeProtocol

/// `nvme+tcp://host:port/NQN?name=value&…`
struct URIParser {
  let text: String
  private var options: TargetOptions

  init(text: String) {
    self.text = text
    options = TargetOptions(text: text)
  }

  mutating func parse() throws(TargetIdentifierError) -> TargetIdentifier {
    let (scheme, afterScheme) = Self.split(text[...], at: "://")
    switch scheme.lowercased() {
    case "nvme+tcp": break
    case "nvme+rdma", "nvme+fc":
      throw options.error(String(scheme), "this transport is not supported", "use nvme+tcp")
    default: throw options.error(String(scheme), "this is not a scheme known here", "begin with nvme+tcp://")
    }
    var rest = afterScheme ?? ""
    if let fragment = rest.firstIndex(of: "#") {
      throw options.error(
        String(rest[fragment...]), "a fragment has no meaning here", "write # in a name as %23")
    }
    let (beforeQuery, query) = Self.split(rest, at: "?")
    rest = beforeQuery
    let (authority, path) = Self.split(rest, at: "/")

    let (host, port) = try parseAuthority(authority)
    var subsystem = NVMeQualifiedName.discovery
    if let path, !path.isEmpty {
      subsystem = try decode(path)
      try options.checkSubsystem(subsystem, part: String(path))
    }
    var target = TargetIdentifier(host: host, port: port, subsystemNQN: subsystem)
    for pair in (query ?? "").split(separator: "&") { try parseOption(pair, &target) }
    return target
  }

  private func decode(_ part: Substring) throws(TargetIdentifierError) -> String {
    guard let decoded = PercentCoding.decode(part) else {
      throw options.error(
        String(part), "a % is not followed by two hexadecimal digits, or the bytes are not UTF-8",
        "write % itself as %25")
    }
    return decoded
  }

  private func parseAuthority(_ authority: Substring) throws(TargetIdentifierError) -> (String, UInt16?) {
    if authority.contains("@") {
      throw options.error(String(authority), "a user name has no meaning here", "give the host alone")
    }
    var host: Substring
    var port: Substring?
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else {
        throw options.error(String(authority), "the ] behind the IPv6 address is missing", "write [ADDRESS]:PORT")
      }
      host = authority[authority.index(after: authority.startIndex)..<end]
      let rest = authority[authority.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else {
        throw options.error(String(rest), "only a port can follow the ]", "write [ADDRESS]:PORT")
      }
      port = rest.isEmpty ? nil : rest.dropFirst()
      let address = try decodeZone(host)
      guard AddressLiteral.family(of: address) == .ipv6 else {
        throw options.error(String(host), "this is no IPv6 address", "only IPv6 addresses stand in brackets")
      }
      return (address, try parsePort(port))
    }
    (host, port) = Self.split(authority, at: ":")
    if let port, port.contains(":") {
      throw options.error(String(authority), "an IPv6 address needs brackets", "write [ADDRESS]:PORT")
    }
    let name = try decode(host)
    try options.checkHost(name, part: String(host))
    return (name, try parsePort(port))
  }

  /// The zone's "%" is written "%25" (RFC 6874), but many write it plainly: both are taken.
  private func decodeZone(_ host: Substring) throws(TargetIdentifierError) -> String {
    let (address, zone) = Self.split(host, at: "%")
    guard let zone else { return String(host) }
    return address + "%" + (try decode(zone.hasPrefix("25") && zone.count > 2 ? zone.dropFirst(2) : zone))
  }

  private func parsePort(_ port: Substring?) throws(TargetIdentifierError) -> UInt16? {
    guard let port, !port.isEmpty else { return nil }
    return UInt16(try options.number(String(port), in: 1...65_535, "the port", String(port)))
  }

  private mutating func parseOption(
    _ pair: Substring, _ target: inout TargetIdentifier
  ) throws(TargetIdentifierError) {
    let part = String(pair)
    let (name, value) = Self.split(pair, at: "=")
    guard let value else { throw options.error(part, "an option needs a value", "write NAME=VALUE") }
    let key = name.lowercased() == "ns" ? "nsid" : name.lowercased()
    try options.markSeen(key, part: part)
    guard try options.apply(key, try decode(value), part: part, to: &target) else {
      throw options.error(
        part, "there is no option \(name)", "the options are \(TargetOptions.names.joined(separator: ", "))")
    }
  }

  /// What stands before and behind the separator's first place; nil behind if it is not there.
  static func split(_ text: Substring, at separator: String) -> (Substring, Substring?) {
    var index = text.startIndex
    while index < text.endIndex {
      if text[index...].hasPrefix(separator) {
        return (text[..<index], text[text.index(index, offsetBy: separator.count)...])
      }
      index = text.index(after: index)
    }
    return (text, nil)
  }
}
