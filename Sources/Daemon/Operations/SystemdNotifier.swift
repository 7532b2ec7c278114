internal import Glibc
internal import RingReactor

/// Tells the service manager what the daemon is at (sd_notify(3)'s protocol: a datagram to `NOTIFY_SOCKET`).
public enum SystemdNotifier {
  public enum State: Sendable {
    case ready
    case reloading
    case stopping

    var text: String {
      switch self {
      case .ready: "READY=1\nSTATUS=serving"
      // The manager tells by the time which reload is meant.
      case .reloading:
        "RELOADING=1\nMONOTONIC_USEC=\(MonotonicClock.nanoseconds() / 1000)\nSTATUS=reading the configuration"
      case .stopping: "STOPPING=1\nSTATUS=letting go of devices"
      }
    }
  }

  /// Does nothing when nobody wants to know.
  public static func tell(_ state: State) {
    guard let variable = getenv("NOTIFY_SOCKET") else { return }
    var path = Array(String(cString: variable).utf8)
    guard let first = path.first, first == UInt8(ascii: "/") || first == UInt8(ascii: "@"), path.count < 108 else {
      return
    }
    // An abstract name begins with a zero byte, and is as long as it says.
    let isAbstract = first == UInt8(ascii: "@")
    if isAbstract { path[0] = 0 }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
    let length = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + path.count + (isAbstract ? 0 : 1)
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    let bytes = Array(state.text.utf8)
    withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, socklen_t(length))
      }
    }
  }
}
