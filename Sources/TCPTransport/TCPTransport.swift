internal import Glibc
public import NVMeHost
internal import NVMeProtocol
public import RingReactor

/// NVMe/TCP to one host name or address and port.
public struct TCPTransport: Transport {
  /// A name, or a numeric address, an IPv6 one without brackets.
  public var host: String
  public var port: UInt16
  public var options: TCPTransportOptions
  /// What ``host`` and ``port`` stand for, where that has been found out before.
  var address: SocketAddress?

  public init(host: String, port: UInt16, options: TCPTransportOptions = TCPTransportOptions()) {
    self.host = host
    self.port = port
    self.options = options
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// Where to connect from; nil where anywhere will do, and where ``TCPTransportOptions/sourceAddress`` is no address.
  var sourceAddress: SocketAddress? { options.sourceAddress.flatMap { SocketAddress(numericHost: $0, port: 0) } }

  /// The family that addresses must be of; nil: any.
  var wantedFamily: Int32? {
    options.addressFamily.map { $0 == .ipv6 ? AF_INET6 : AF_INET } ?? sourceAddress?.family
  }

  public func makeQueuePair(on reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters) -> QueuePair {
    TCPQueuePair(reactor: reactor, owner: owner, parameters: parameters, transport: self)
  }
}
