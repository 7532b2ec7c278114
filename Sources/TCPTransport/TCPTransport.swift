public import NVMeHost
public import RingReactor

/// NVMe/TCP to one host name or address and port.
public struct TCPTransport: Transport {
  /// A name, or a numeric address, an IPv6 one without brackets.
  public var host: String
  public var port: UInt16
  public var options: TCPTransportOptions

  public init(host: String, port: UInt16, options: TCPTransportOptions = TCPTransportOptions()) {
    self.host = host
    self.port = port
    self.options = options
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  public func makeQueuePair(on reactor: Reactor, owner: ReactorSource, parameters: QueuePairParameters) -> QueuePair {
    TCPQueuePair(reactor: reactor, owner: owner, parameters: parameters, transport: self)
  }
}
