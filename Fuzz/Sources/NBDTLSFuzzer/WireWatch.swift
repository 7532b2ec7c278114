import NBDProtocol

/// Looks at all that leaves the server: a greeting and replies in the clear up to the one that accepts TLS, and behind that
/// nothing but TLS records, whatever becomes of the handshake.
struct WireWatch {
  private static let greetingByteCount = 18
  private static let replyHeaderByteCount = 20
  private static let recordHeaderByteCount = 5
  /// RFC 5246, section 6.2.3; TLS 1.3 allows less.
  private static let maximumRecordByteCount = 1 << 14 + 2048
  /// change_cipher_spec, alert, handshake, application_data
  private static let contentTypes: ClosedRange<UInt8> = 20...23
  private static let alert: UInt8 = 21

  private(set) var isSecure = false
  private var isGreeted = false
  /// What has come of the piece that is waited for.
  private var pending: [UInt8] = []

  /// - Returns: the ciphertext that is there.
  mutating func take(_ bytes: [UInt8]) -> [UInt8] {
    pending += bytes
    while !isSecure {
      let count = isGreeted ? replyByteCount : Self.greetingByteCount
      guard let count, pending.count >= count else { return [] }
      if isGreeted {
        isSecure =
          integer(8, UInt32.self) == NBDOption.startTLS.rawValue
          && integer(12, UInt32.self) == NBDOptionReply.acknowledge.rawValue
      } else {
        check(integer(0, UInt64.self) == NBDMagic.initial, "no greeting: \(pending)")
        isGreeted = true
      }
      pending.removeFirst(count)
    }
    var ciphertext: [UInt8] = []
    // What has been taken goes at the end: megabytes may have come, in small records.
    var start = 0
    while pending.count - start >= Self.recordHeaderByteCount {
      let byteCount = Int(integer(start + 3, UInt16.self))
      // An alert about the version has the one that the client gives.
      let isAlert = pending[start] == Self.alert && byteCount == 2
      check(
        isAlert
          || Self.contentTypes.contains(pending[start]) && pending[start + 1] == 3 && pending[start + 2] <= 4
            && byteCount <= Self.maximumRecordByteCount,
        "something in the clear after TLS was accepted: \(pending[start...].prefix(32))")
      let end = start + Self.recordHeaderByteCount + byteCount
      guard pending.count >= end else { break }
      ciphertext += pending[start..<end]
      start = end
    }
    pending.removeFirst(start)
    return ciphertext
  }

  private var replyByteCount: Int? {
    guard pending.count >= Self.replyHeaderByteCount else { return nil }
    check(integer(0, UInt64.self) == NBDMagic.optionReply, "no reply to an option: \(pending.prefix(32))")
    return Self.replyHeaderByteCount + Int(integer(16, UInt32.self))
  }

  private func integer<Value: FixedWidthInteger>(_ offset: Int, _: Value.Type) -> Value {
    pending[offset..<offset + MemoryLayout<Value>.size].reduce(0) { $0 << 8 | Value($1) }
  }
}
