internal import Glibc
internal import RingReactor

/// Who is at the other end of a socket, for people.
enum PeerName {
  static func text(_ fileDescriptor: Int32) -> String {
    SocketAddress(peerOf: fileDescriptor).map { $0.family == AF_UNIX ? local(fileDescriptor) : "\($0)" } ?? "unknown"
  }

  private static func local(_ fileDescriptor: Int32) -> String {
    // struct ucred: process, user, group.
    var credentials: (Int32, UInt32, UInt32) = (0, 0, 0)
    var byteCount = socklen_t(MemoryLayout.size(ofValue: credentials))
    guard getsockopt(fileDescriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &byteCount) == 0 else { return "local" }
    return "process \(credentials.0)"
  }
}
