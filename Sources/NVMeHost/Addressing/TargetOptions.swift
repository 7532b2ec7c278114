internal import NVMeProtocol

/// Options that both forms of a target identifier share, and the checks of their values.
struct TargetOptions {
  static let names = ["nsid", "hdgst", "ddgst", "queues", "depth", "hostnqn", "hostid", "kato"]

  let text: String
  private var seen: Set<String> = []

  init(text: String) { self.text = text }

  func error(_ part: String, _ problem: String, _ advice: String) -> TargetIdentifierError {
    TargetIdentifierError(text: text, part: part, problem: problem, advice: advice)
  }

  /// - Parameter part: the option as it stands in the text.
  mutating func markSeen(_ name: String, part: String) throws(TargetIdentifierError) {
    guard seen.insert(name).inserted else { throw error(part, "\(name) is given twice", "give it once") }
  }

  /// Applies an option; false if there is none of that name.
  func apply(
    _ name: String, _ value: String, part: String, to target: inout TargetIdentifier
  ) throws(TargetIdentifierError) -> Bool {
    switch name {
    case "nsid", "ns":
      // FFFFFFFFh means all namespaces, which is no namespace to read from.
      target.namespaceIdentifier = UInt32(try number(value, in: 1...0xFFFF_FFFE, name, part))
    case "hdgst": target.headerDigest = try flag(value, name, part)
    case "ddgst": target.dataDigest = try flag(value, name, part)
    case "queues": target.queueCount = Int(try number(value, in: 1...65_535, name, part))
    case "depth": target.queueDepth = Int(try number(value, in: 1...4095, name, part))
    case "kato":
      target.keepAliveTimeoutMilliseconds = UInt32(try number(value, in: 0...UInt64(UInt32.max), name, part))
    case "hostnqn":
      if let problem = NVMeQualifiedName.problem(with: value) {
        throw error(part, "the host NQN is not valid: \(problem)", "give one like \(NVMeQualifiedName.uuidPrefix)UUID")
      }
      target.hostNQN = value
    case "hostid":
      guard let identifier = Identifier128(value), !identifier.isZero else {
        throw error(part, "the host identifier is not 32 hexadecimal digits, not all zero", "give a UUID")
      }
      target.hostIdentifier = identifier
    default: return false
    }
    return true
  }

  func number(
    _ value: String, in range: ClosedRange<UInt64>, _ name: String, _ part: String
  ) throws(TargetIdentifierError) -> UInt64 {
    // Digits alone: "+1" and "0x1" would be read by others in other ways.
    guard !value.isEmpty, value.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let number = UInt64(value),
      range.contains(number)
    else {
      throw error(
        part, "\(name) is not a number from \(range.lowerBound) to \(range.upperBound)", "give a decimal number")
    }
    return number
  }

  func flag(_ value: String, _ name: String, _ part: String) throws(TargetIdentifierError) -> Bool {
    switch value.lowercased() {
    case "1", "true", "yes", "on": return true
    case "0", "false", "no", "off": return false
    default: throw error(part, "\(name) is neither on nor off", "write \(name)=1 or \(name)=0")
    }
  }

  func checkSubsystem(_ name: String, part: String) throws(TargetIdentifierError) {
    if let problem = NVMeQualifiedName.problem(with: name) {
      throw error(part, "the subsystem NQN is not valid: \(problem)", "discovery shows the names that a target offers")
    }
  }

  /// Checks a host name or address.
  func checkHost(_ host: String, part: String) throws(TargetIdentifierError) {
    guard !host.isEmpty else { throw error(part, "the address is missing", "give a host name or an IP address") }
    if AddressLiteral.family(of: host) != nil { return }
    if host.contains(":") {
      throw error(part, "this is no IPv6 address", "write it like 2001:db8::1, in a URI in brackets: [2001:db8::1]")
    }
    // RFC 1123, with the underscore that some networks use.
    let isName =
      host.utf8.count <= 253
      && host.utf8.allSatisfy {
        switch $0 {
        case 48...57, 65...90, 97...122, 0x2D, 0x2E, 0x5F: true
        default: false
        }
      }
    // What looks like an IPv4 address but is none (999.1.1.1, 10.1) would be looked up as a name.
    let looksNumeric = host.utf8.allSatisfy { ($0 >= 48 && $0 <= 57) || $0 == 0x2E }
    guard isName, !looksNumeric, !host.hasPrefix("."), !host.hasPrefix("-") else {
      throw error(part, "this is neither a host name nor an IP address", "write it like storage1.example or 192.0.2.1")
    }
  }
}
