import Glibc
import NVMeProtocol
import NVMeTCPProtocol
import Synchronization
import TestSupport

/// Stands between hosts and one port of a target: all PDUs pass through a defect, which changes them, so that to a host
/// the two are one target with that defect.
final class Interceptor: Sendable {
  /// Where hosts find the target.
  let port: UInt16
  private let listener: Int32
  private let targetPort: UInt16
  private let place: Int
  private let planted: PlantedDefect

  /// - Parameter place: 0 for the target's first port, 1 for the second.
  init(port targetPort: UInt16, place: Int, planted: PlantedDefect) throws {
    self.targetPort = targetPort
    self.place = place
    self.planted = planted
    let listening = try LoopbackListener(backlog: 256)
    listener = listening.descriptor
    port = listening.port
    TestThread { [self] in accept() }.detach()
  }

  /// Takes no more connections. Those there are end with the target's.
  func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  private func accept() {
    while true {
      let host = Glibc.accept(listener, nil, nil)
      if host < 0, errno == EINTR || errno == ECONNABORTED { continue }
      guard host >= 0 else { break }
      // A port that the target has closed is one that hangs up.
      guard let target = connectToTarget() else {
        close(host)
        continue
      }
      let connection = InterceptedConnection(host: host, target: target, place: place, planted: planted)
      for isToTarget in [true, false] { TestThread { connection.pump(isToTarget: isToTarget) }.detach() }
    }
    close(listener)
  }

  private func connectToTarget() -> Int32? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = targetPort.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let code = withUnsafeBytes(of: &address) {
      connect(
        descriptor, $0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(MemoryLayout<sockaddr_in>.size))
    }
    if code == 0 { return descriptor }
    close(descriptor)
    return nil
  }
}
