import Glibc

/// Asks an NVMe/TCP port whether it is there, with the first PDU of a connection.
enum InitializeProbe {
  /// Whether the loopback port answers an ICReq with an ICResp (NVMe/TCP Transport Specification 1.1, section 3.6.2.2).
  static func isAnswered(port: UInt16, within limit: Duration) throws(NvmetGuestError) -> Bool {
    let descriptor = FileDescriptor(
      try SystemCall.check("socket") {
        socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      })
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
    let connected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor.rawValue, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { return false }

    // Type 0, header and PDU length 128, PDU format version 0, no padding, no digests, one R2T.
    var request = [UInt8](repeating: 0, count: 128)
    request[2] = 128
    request[4] = 128
    guard send(descriptor.rawValue, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
      return false
    }
    var answer = [UInt8](repeating: 0, count: 128)
    var count = 0
    let deadline = ContinuousClock.now + limit
    while count < answer.count {
      guard try descriptor.wait(for: POLLIN, until: deadline) else { return false }
      let received = answer.withUnsafeMutableBytes { buffer in
        recv(descriptor.rawValue, buffer.baseAddress! + count, 128 - count, 0)
      }
      if received < 0 && errno == EINTR { continue }
      guard received > 0 else { return false }
      count += received
    }
    return answer[0] == 1 && answer[2] == 128
  }
}
