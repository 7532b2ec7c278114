public import Glibc

/// An IPv4 or IPv6 address with a port, as the kernel wants it.
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

  public var family: Int32 { Int32(storage.ss_family) }

  public var port: UInt16 {
    withUnsafeBytes(of: storage) { bytes in
      // sin_port and sin6_port both follow the 16-bit family.
      UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
    }
  }

  /// The numeric host without the port.
  public var host: String {
    withUnsafeBytes(of: storage) { bytes in
      let address = bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
      return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NI_MAXHOST)) { text in
        let code = getnameinfo(address, byteCount, text.baseAddress!, UInt32(NI_MAXHOST), nil, 0, NI_NUMERICHOST)
        return code == 0 ? String(cString: text.baseAddress!) : "?"
      }
    }
  }

  public var description: String { family == AF_INET6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

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
