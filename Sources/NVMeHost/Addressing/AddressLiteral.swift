internal import Glibc
internal import NVMeProtocol

/// IP addresses as text.
enum AddressLiteral {
  /// Nil if the text is not an IP address but, presumably, a name. A zone ("%eth0") behind an IPv6 address is allowed.
  static func family(of text: String) -> AddressFamily? {
    // The C function would stop at a zero byte, and take what comes before it for the whole.
    guard !text.utf8.contains(0) else { return nil }
    var storage = in6_addr()
    if inet_pton(AF_INET, text, &storage) == 1 { return .ipv4 }
    let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2 {
      let zone = parts[1].utf8
      let isZone = (1...15).contains(zone.count) && zone.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2F }
      if !isZone { return nil }
    }
    return inet_pton(AF_INET6, String(parts[0]), &storage) == 1 ? .ipv6 : nil
  }
}
