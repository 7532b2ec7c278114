internal import NVMeProtocol

/// `trtype:TCP adrfam:IPv4 traddr:… trsvcid:… subnqn:… ns:…`: keys in any order and case, separated by blanks, each
/// with its value behind ":" or "=".
struct TransportIdentifierParser {
  let text: String
  private var options: TargetOptions
  private static let keys = "trtype, adrfam, traddr, trsvcid, subnqn, ns"

  init(text: String) {
    self.text = text
    options = TargetOptions(text: text)
  }

  /// Whether a word of the text begins with a key that says where a target is, or which.
  static func isMeant(by text: String) -> Bool {
    text.split(whereSeparator: \.isWhitespace).contains { word in
      guard let separator = word.firstIndex(where: { $0 == ":" || $0 == "=" }) else { return false }
      return ["trtype", "traddr", "subnqn"].contains(word[..<separator].lowercased())
    }
  }

  mutating func parse() throws(TargetIdentifierError) -> TargetIdentifier {
    var target = TargetIdentifier(host: "")
    var family: (AddressFamily, part: String)?
    var address: (String, part: String)?
    var port: UInt16?
    for piece in text.split(whereSeparator: \.isWhitespace) {
      let part = String(piece)
      guard let separator = piece.firstIndex(where: { $0 == ":" || $0 == "=" }) else {
        throw options.error(part, "a value is missing", "write KEY:VALUE")
      }
      let key = piece[..<separator].lowercased() == "ns" ? "nsid" : piece[..<separator].lowercased()
      let value = String(piece[piece.index(after: separator)...])
      try options.markSeen(key, part: part)
      switch key {
      case "trtype":
        guard value.lowercased() == "tcp" else {
          throw options.error(part, "this transport is not supported", "use trtype:TCP")
        }
      case "adrfam":
        switch value.lowercased() {
        case "ipv4": family = (.ipv4, part)
        case "ipv6": family = (.ipv6, part)
        default:
          throw options.error(part, "this address family cannot be used with TCP", "use IPv4 or IPv6, or omit it")
        }
      case "traddr": address = (Self.withoutBrackets(value), part)
      case "trsvcid": port = UInt16(try options.number(value, in: 1...65_535, "trsvcid", part))
      case "subnqn":
        try options.checkSubsystem(value, part: part)
        target.subsystemNQN = value
      default:
        guard try options.apply(key, value, part: part, to: &target) else {
          let known = Self.keys + ", " + TargetOptions.names.dropFirst().joined(separator: ", ")
          throw options.error(part, "there is no key \(piece[..<separator])", "the keys are \(known)")
        }
      }
    }
    guard let address else { throw options.error("", "the address is missing", "add traddr:ADDRESS") }
    try options.checkHost(address.0, part: address.part)
    target.host = address.0
    if let family, let actual = target.addressFamily, family.0 != actual {
      throw options.error(
        family.part, "the address \(address.0) is of family \(actual)", "omit adrfam: it is inferred from the address")
    }
    target.port = port ?? TargetIdentifier.defaultPort(for: target.subsystemNQN)
    return target
  }

  private static func withoutBrackets(_ value: String) -> String {
    value.hasPrefix("[") && value.hasSuffix("]") ? String(value.dropFirst().dropLast()) : value
  }
}
