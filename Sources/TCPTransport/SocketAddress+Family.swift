internal import Glibc
internal import NVMeProtocol
internal import RingReactor

extension SocketAddress {
  func isOf(_ family: AddressFamily) -> Bool { self.family == (family == .ipv6 ? AF_INET6 : AF_INET) }
}
