internal import NVMeProtocol

/// Where a namespace is: `nvme+tcp://HOST[:PORT]/NQN[?nsid=N…]` or SPDK's `trtype:TCP traddr:HOST trsvcid:PORT
/// subnqn:NQN ns:N`.
struct TargetAddress: Equatable, Sendable {
  /// What is wrong with an address, and what it should be.
  struct Failure: Error, Equatable, CustomStringConvertible {
    var text: String
    var problem: String

    var description: String {
      "filename=\(text): \(problem); write nvme+tcp://HOST:4420/NQN?nsid=1 "
        + "or 'trtype:TCP traddr:HOST trsvcid:4420 subnqn:NQN ns:1'"
    }
  }

  var host: String
  var port: UInt16 = 4420
  var subsystemNQN: String
  /// nil: the first that can be used.
  var namespaceIdentifier: UInt32?
  var headerDigest = false
  var dataDigest = false
  /// nil: one of this run's own.
  var hostNQN: String?
  var hostIdentifier: Identifier128?

  /// nil when `text` is neither form.
  static func parse(_ text: String) throws(Failure) -> TargetAddress? {
    if text.lowercased().hasPrefix("nvme+tcp://") { return try parseURI(text) }
    if text.lowercased().split(separator: " ").contains(where: { $0.hasPrefix("trtype:") }) {
      return try parseTransportIdentifier(text)
    }
    if text.contains("://") { throw Failure(text: text, problem: "the scheme is not nvme+tcp") }
    return nil
  }

  private static func parseURI(_ text: String) throws(Failure) -> TargetAddress {
    let body = text.dropFirst("nvme+tcp://".count)
    let parts = body.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { throw Failure(text: text, problem: "no subsystem NQN after the host") }
    let authority = parts[0]
    var host = authority
    var portText: Substring?
    if authority.hasPrefix("[") {
      guard let end = authority.firstIndex(of: "]") else { throw Failure(text: text, problem: "']' is missing") }
      host = authority[authority.index(after: authority.startIndex)..<end]
      let rest = authority[authority.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":") else { throw Failure(text: text, problem: "text after ']'") }
      if !rest.isEmpty { portText = rest.dropFirst() }
    } else if let colon = authority.lastIndex(of: ":") {
      guard authority.firstIndex(of: ":") == colon else {
        throw Failure(text: text, problem: "an IPv6 address must stand in brackets")
      }
      host = authority[..<colon]
      portText = authority[authority.index(after: colon)...]
    }
    let pieces = parts[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    guard let nqn = decoded(pieces[0]) else { throw Failure(text: text, problem: "a broken %-escape in the NQN") }
    var address = TargetAddress(host: String(host), subsystemNQN: nqn)
    if let portText { try address.set("trsvcid", String(portText), text) }
    if pieces.count == 2 {
      for item in pieces[1].split(separator: "&") {
        let pair = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard pair.count == 2, let value = decoded(pair[1]) else {
          throw Failure(text: text, problem: "'\(item)' is not name=value")
        }
        try address.set(String(pair[0]), value, text)
      }
    }
    try address.check(text)
    return address
  }

  private static func parseTransportIdentifier(_ text: String) throws(Failure) -> TargetAddress {
    var address = TargetAddress(host: "", subsystemNQN: "")
    for item in text.split(separator: " ") {
      let pair = item.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard pair.count == 2 else { throw Failure(text: text, problem: "'\(item)' is not name:value") }
      try address.set(pair[0].lowercased(), String(pair[1]), text)
    }
    try address.check(text)
    return address
  }

  private mutating func set(_ name: String, _ value: String, _ text: String) throws(Failure) {
    func wrong(_ expected: String) -> Failure {
      Failure(text: text, problem: "\(name) is '\(value)', expected \(expected)")
    }
    func flag() throws(Failure) -> Bool {
      do throws(OptionValueError) { return try ValueParser.boolean(value[...]) } catch { throw wrong("0 or 1") }
    }
    switch name {
    case "trtype":
      guard value.lowercased() == "tcp" else { throw wrong("TCP, the one transport there is") }
    case "adrfam":
      guard ["ipv4", "ipv6"].contains(value.lowercased()) else { throw wrong("IPv4 or IPv6") }
    case "traddr": host = value
    case "trsvcid", "port":
      guard let number = UInt16(value), number > 0 else { throw wrong("a port from 1 to 65535") }
      port = number
    case "subnqn": subsystemNQN = value
    case "ns", "nsid":
      guard let number = UInt32(value), number > 0, number < 0xffff_ffff else { throw wrong("a namespace from 1") }
      namespaceIdentifier = number
    case "hdgst": headerDigest = try flag()
    case "ddgst": dataDigest = try flag()
    case "hostnqn": hostNQN = value
    case "hostid":
      guard let identifier = Identifier128(value) else { throw wrong("a UUID") }
      hostIdentifier = identifier
    default:
      throw Failure(text: text, problem: "'\(name)' is not known here")
    }
  }

  private func check(_ text: String) throws(Failure) {
    if host.isEmpty { throw Failure(text: text, problem: "no host") }
    if subsystemNQN.isEmpty { throw Failure(text: text, problem: "no subsystem NQN") }
    for nqn in [subsystemNQN, hostNQN ?? ""] where nqn.utf8.count > 223 {
      throw Failure(text: text, problem: "an NQN has at most 223 bytes")
    }
  }

  /// With %-escapes resolved; nil if one is broken.
  private static func decoded(_ text: Substring) -> String? {
    guard text.contains("%") else { return String(text) }
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
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
