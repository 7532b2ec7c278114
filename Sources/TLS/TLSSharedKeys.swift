internal import COpenSSL
internal import Glibc

/// Keys that a server shares with clients, by the identities that those give (RFC 8446, section 2.2; RFC 4279).
final class TLSSharedKeys: Sendable {
  private static let maximumFileByteCount = 1 << 20

  private let keys: [String: [UInt8]]

  init(file: String) throws(TLSConfigurationError) {
    var keys: [String: [UInt8]] = [:]
    for (number, line) in try Self.lines(file) {
      func problem(_ reason: String) -> TLSConfigurationError {
        TLSConfigurationError(file: file, reason: "line \(number): \(reason)")
      }
      // An identity may hold a colon, a key does not.
      guard let colon = line.lastIndex(of: ":"), colon > line.startIndex else { throw problem("not IDENTITY:KEY") }
      guard let key = Self.bytes(line[line.index(after: colon)...]) else { throw problem("the key is not hexadecimal") }
      guard (16...64).contains(key.count) else { throw problem("a key has 16 to 64 bytes, not \(key.count)") }
      guard keys.updateValue(key, forKey: String(line[..<colon])) == nil else {
        throw problem("the identity is there already")
      }
    }
    guard !keys.isEmpty else { throw TLSConfigurationError(file: file, reason: "no keys") }
    self.keys = keys
  }

  /// Has `context` ask here. It is to live no longer than this.
  func use(_ context: OpaquePointer) {
    // The first of the places for applications' data (SSL_CTX_set_app_data).
    SSL_CTX_set_ex_data(context, 0, Unmanaged.passUnretained(self).toOpaque())
    SSL_CTX_set_psk_server_callback(context) { session, identity, key, capacity in
      guard let session, let identity, let key,
        let keys = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), 0)
      else { return 0 }
      let count = Unmanaged<TLSSharedKeys>.fromOpaque(keys).takeUnretainedValue().copy(
        String(cString: identity), UnsafeMutableRawBufferPointer(start: key, count: Int(capacity)))
      // OpenSSL goes on without the key, and fails for want of something else.
      if count == 0 { nvmeof_tls_note_unknown_identity(session, identity) }
      return count
    }
  }

  /// Returns the key's length; 0 when nobody is called so.
  private func copy(_ identity: String, _ destination: UnsafeMutableRawBufferPointer) -> UInt32 {
    guard let key = keys[identity], key.count <= destination.count else { return 0 }
    destination.copyBytes(from: key)
    return UInt32(key.count)
  }

  private static func lines(_ file: String) throws(TLSConfigurationError) -> [(number: Int, text: Substring)] {
    guard let stream = fopen(file, "re") else {
      throw TLSConfigurationError(file: file, reason: String(cString: strerror(errno)))
    }
    defer { fclose(stream) }
    var bytes = [UInt8](repeating: 0, count: maximumFileByteCount + 1)
    let count = fread(&bytes, 1, bytes.count, stream)
    guard count <= maximumFileByteCount, let text = String(validating: bytes[..<count], as: UTF8.self) else {
      throw TLSConfigurationError(file: file, reason: "not a text of at most \(maximumFileByteCount) bytes")
    }
    // A file may come from where lines end by CR LF, which is one character.
    return text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }.enumerated()
      .filter { !$1.isEmpty && !$1.hasPrefix("#") }.map { ($0 + 1, $1) }
  }

  private static func bytes(_ text: Substring) -> [UInt8]? {
    let digits = text.utf8.map { UInt8($0) }
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = nibble(digits[index]), let low = nibble(digits[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }

  private static func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
