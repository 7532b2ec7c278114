public import Glibc

/// An IPv4 or IPv6 address with a port, or the path of a Unix-domain socket, as the kernel wants it.
public struct SocketAddress: Sendable, CustomStringConvertible {
  public private(set) var storage: sockaddr_storage
  /// Bytes of ``storage`` in use.
  public private(set) var byteCount: UInt32

  init(copying address: UnsafePointer<sockaddr>, byteCount: UInt32) {
    storage = sockaddr_storage()
    self.byteCount = min(byteCount, UInt32(MemoryLayout<sockaddr_storage>.size))
    withUnsafeMutableBytes(of: &storage) { bytes in
      bytes.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(self.byteCount)))
    }
  }

  /// A numeric address (`192.0.2.1`, `2001:db8::1`, `fe80::1%eth0`), or nil when `host` is a name.
  public init?(numericHost host: String, port: UInt16) {
    guard
      let found = NameResolver.lookUp(host: host, port: port, flags: AI_NUMERICHOST | AI_NUMERICSERV, passive: false)
        .success?.first
    else { return nil }
    self = found
  }

  /// Where the other end of a connected socket is; nil when it is not connected.
  public init?(peerOf fileDescriptor: Int32) {
    var storage = sockaddr_storage()
    var byteCount = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let code = withUnsafeMutableBytes(of: &storage) { bytes in
      getpeername(fileDescriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), &byteCount)
    }
    guard code == 0 else { return nil }
    self.storage = storage
    self.byteCount = min(byteCount, UInt32(MemoryLayout<sockaddr_storage>.size))
  }

  /// The path of a Unix-domain socket; nil when it is empty, has a zero byte, or is longer than the 107 bytes that the
  /// kernel has room for.
  public init?(unixPath path: String) {
    let bytes = Array(path.utf8)
    guard (1...Self.maximumPathByteCount).contains(bytes.count), !bytes.contains(0) else { return nil }
    storage = sockaddr_storage()
    storage.ss_family = sa_family_t(AF_UNIX)
    // With the zero byte behind the path.
    byteCount = UInt32(Self.pathOffset + bytes.count + 1)
    withUnsafeMutableBytes(of: &storage) { storage in
      for (index, byte) in bytes.enumerated() { storage[Self.pathOffset + index] = byte }
    }
  }

  /// The longest path of a Unix-domain socket, in bytes.
  public static let maximumPathByteCount = 107
  private static let pathOffset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)!

  /// The path of a Unix-domain socket; nil for other families, and for sockets without a path.
  public var unixPath: String? {
    guard family == AF_UNIX, byteCount > UInt32(Self.pathOffset) else { return nil }
    return withUnsafeBytes(of: storage) { bytes in
      String(decoding: bytes[Self.pathOffset..<Int(byteCount)].prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  public var family: Int32 { Int32(storage.ss_family) }

  /// The port; 0 for a Unix-domain socket.
  public var port: UInt16 {
    if family == AF_UNIX { return 0 }
    return withUnsafeBytes(of: storage) { bytes in
      // sin_port and sin6_port both follow the 16-bit family.
      UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
    }
  }

  /// The numeric host without the port; of a Unix-domain socket the path, empty when it has none.
  public var host: String {
    if family == AF_UNIX { return unixPath ?? "" }
    return withUnsafeBytes(of: storage) { bytes in
      let address = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
      return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { text in
        let code = getnameinfo(address, byteCount, text.baseAddress!, UInt32(NI_MAXHOST), nil, 0, NI_NUMERICHOST)
        return code == 0 ? String(cString: text.baseAddress!) : "?"
      }
    }
  }

  public var description: String {
    switch family {
    case AF_UNIX: "unix:\(host)"
    case AF_INET6: "[\(host)]:\(port)"
    default: "\(host):\(port)"
    }
  }

  /// Calls `body` with the address in the kernel's form.
  public func withSocketAddress<Value>(_ body: (UnsafePointer<sockaddr>, UInt32) -> Value) -> Value {
    withUnsafeBytes(of: storage) { bytes in
      body(bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), byteCount)
    }
  }
}

extension Result {
  fileprivate var success: Success? { try? get() }
}
