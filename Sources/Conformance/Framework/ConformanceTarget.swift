/// Which subsystem is tested, and as whom.
public struct ConformanceTarget: Sendable, Hashable, CustomStringConvertible {
  /// A name or an address without brackets.
  public var host: String
  public var port: UInt16
  /// Another port of the same subsystem on the same host; nil when none is known.
  public var secondPort: UInt16?
  public var subsystemNQN: String
  /// The namespaces under test; destructive cases overwrite exactly these. Empty: none was named, and only cases that
  /// change nothing run, on the first active one.
  public var namespaceIdentifiers: [UInt32] = []
  public var hostNQN: String
  /// HOSTID, 16 bytes.
  public var hostIdentifier: [UInt8]

  /// The host is a new one: a random identifier, and the NQN made of it.
  public init(host: String, port: UInt16, subsystemNQN: String) {
    self.host = host
    self.port = port
    self.subsystemNQN = subsystemNQN
    // Version 4, variant 1 (RFC 9562).
    var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
    bytes[6] = bytes[6] & 0x0F | 0x40
    bytes[8] = bytes[8] & 0x3F | 0x80
    hostIdentifier = bytes
    let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    var uuid = ""
    for (index, digit) in digits.enumerated() {
      if [8, 12, 16, 20].contains(index) { uuid += "-" }
      uuid.append(digit)
    }
    hostNQN = "nqn.2014-08.org.nvmexpress:uuid:" + uuid
  }

  /// `nvme+tcp://HOST[:PORT]/NQN[?nsid=N[&nsid=N…][&port2=PORT]]`, port 4420 by default; an IPv6 address is in brackets.
  /// - Throws: ``ConformanceTargetError`` that says what is wrong with it.
  public init(uri: String) throws(ConformanceTargetError) {
    let scheme = "nvme+tcp://"
    guard uri.hasPrefix(scheme) else { throw ConformanceTargetError(uri, "it does not begin with \(scheme)") }
    let rest = uri.dropFirst(scheme.count)
    guard let slash = rest.firstIndex(of: "/") else {
      throw ConformanceTargetError(uri, "it names no subsystem: expected \(scheme)HOST:PORT/NQN")
    }
    let authority = rest[..<slash]
    var hostPart = authority
    var portPart: Substring?
    if authority.hasPrefix("[") {
      guard let bracket = authority.firstIndex(of: "]") else {
        throw ConformanceTargetError(uri, "the address's bracket is not closed")
      }
      hostPart = authority[authority.index(after: authority.startIndex)..<bracket]
      let after = authority[authority.index(after: bracket)...]
      if after.hasPrefix(":") {
        portPart = after.dropFirst()
      } else if !after.isEmpty {
        throw ConformanceTargetError(uri, "'\(after)' follows the address")
      }
    } else if let colon = authority.lastIndex(of: ":") {
      hostPart = authority[..<colon]
      portPart = authority[authority.index(after: colon)...]
      guard !hostPart.contains(":") else {
        throw ConformanceTargetError(uri, "an IPv6 address must be in brackets: [\(authority)]")
      }
    }
    guard !hostPart.isEmpty else { throw ConformanceTargetError(uri, "it names no host") }
    let port = portPart.map { UInt16($0) } ?? 4420
    guard let port, port > 0 else {
      throw ConformanceTargetError(uri, "the port '\(portPart ?? "")' is not a number from 1 to 65535")
    }

    let path = rest[rest.index(after: slash)...]
    let question = path.firstIndex(of: "?")
    let nqn = Self.decoded(question.map { path[..<$0] } ?? path)
    guard let nqn, nqn.utf8.count >= 4, nqn.utf8.count <= 223 else {
      throw ConformanceTargetError(uri, "the subsystem's NQN must be 4 to 223 bytes long")
    }
    self.init(host: String(hostPart), port: port, subsystemNQN: nqn)
    guard let question else { return }
    for parameter in path[path.index(after: question)...].split(separator: "&") {
      let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let value = parts.count == 2 ? parts[1] : ""
      switch parts[0] {
      case "nsid":
        guard let identifier = UInt32(value), identifier > 0, identifier < 0xFFFF_FFFF else {
          throw ConformanceTargetError(uri, "nsid '\(value)' is not a number from 1 to 4294967294")
        }
        namespaceIdentifiers.append(identifier)
      case "port2":
        guard let second = UInt16(value), second > 0 else {
          throw ConformanceTargetError(uri, "port2 '\(value)' is not a number from 1 to 65535")
        }
        secondPort = second
      default:
        throw ConformanceTargetError(uri, "the parameter '\(parts[0])' is unknown: there are nsid and port2")
      }
    }
  }

  public var description: String {
    let address = host.contains(":") ? "[\(host)]" : host
    return "nvme+tcp://\(address):\(port)/\(subsystemNQN)"
  }

  /// Percent decoding (RFC 3986, section 2.1); nil where it is broken.
  private static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
        return nil
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
