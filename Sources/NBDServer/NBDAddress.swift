public import RingReactor

/// Where an export is found, as NBD clients write it (NBD, doc/uri.md).
public enum NBDAddress {
  /// The port that IANA has given to NBD.
  public static let defaultPort: UInt16 = 10_809

  /// `nbd://HOST:PORT/NAME`, or `nbd+unix:///NAME?socket=PATH`; with TLS `nbds`.
  public static func uri(_ address: SocketAddress, exportName: String, isSecure: Bool = false) -> String {
    let scheme = isSecure ? "nbds" : "nbd"
    let name = encoded(exportName, keeping: "/:@")
    if let path = address.unixPath { return "\(scheme)+unix:///\(name)?socket=\(encoded(path, keeping: "/:"))" }
    return address.port == defaultPort ? "\(scheme)://\(hostOnly(address))/\(name)" : "\(scheme)://\(address)/\(name)"
  }

  private static func hostOnly(_ address: SocketAddress) -> String {
    address.host.contains(":") ? "[\(address.host)]" : address.host
  }

  /// RFC 3986, section 2: letters, digits, "-", ".", "_", "~" and those of `kept` stay as they are.
  private static func encoded(_ text: String, keeping kept: String) -> String {
    let digits = Array("0123456789ABCDEF")
    return text.utf8.reduce(into: "") { result, byte in
      let scalar = Unicode.Scalar(byte)
      if scalar.isASCII,
        scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "-._~".utf8.contains(byte)
          || kept.utf8.contains(byte)
      {
        result.unicodeScalars.append(scalar)
      } else {
        result += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
      }
    }
  }
}
