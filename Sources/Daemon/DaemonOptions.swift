public import NBDServer
public import NVMeHost

/// How the daemon is started.
public struct DaemonOptions: Sendable {
  /// Where JSON-RPC is served.
  public var rpcSocketPath: String
  /// I/O reactors, from 1.
  public var reactorCount: Int
  /// What the daemon is made from at start; nil for nothing.
  public var configurationPath: String?
  /// Whether the configuration file follows what clients change.
  public var keepsConfiguration: Bool
  /// Whether `framework_start_init` is waited for.
  public var waitsForRPC: Bool
  /// What the host calls itself where a client does not say.
  public var identity: HostIdentity
  /// Where Prometheus fetches metrics, on loopback; nil for nowhere.
  public var metricsPort: UInt16?
  /// Where exports are served over NBD, each by its name: a Unix-domain socket, a TCP port, both, or nothing.
  public var nbdSocketPath: String?
  public var nbdPort: UInt16?
  /// The numeric address whose port that is.
  public var nbdAddress: String
  /// TLS at these two.
  public var nbdSecurity: NBDServerSecurity.Options
  /// What NBD clients may have, over all sockets.
  public var nbdBudget: NBDBudgetConfiguration

  public init(
    rpcSocketPath: String = DaemonOptions.defaultRPCSocketPath, reactorCount: Int = 1, configurationPath: String? = nil,
    keepsConfiguration: Bool = false, waitsForRPC: Bool = false, identity: HostIdentity = .random(),
    metricsPort: UInt16? = nil, nbdSocketPath: String? = nil, nbdPort: UInt16? = nil,
    nbdAddress: String = "127.0.0.1", nbdSecurity: NBDServerSecurity.Options = NBDServerSecurity.Options(),
    nbdBudget: NBDBudgetConfiguration = NBDBudgetConfiguration()
  ) {
    self.rpcSocketPath = rpcSocketPath
    self.reactorCount = reactorCount
    self.configurationPath = configurationPath
    self.keepsConfiguration = keepsConfiguration
    self.waitsForRPC = waitsForRPC
    self.identity = identity
    self.metricsPort = metricsPort
    self.nbdSocketPath = nbdSocketPath
    self.nbdPort = nbdPort
    self.nbdAddress = nbdAddress
    self.nbdSecurity = nbdSecurity
    self.nbdBudget = nbdBudget
  }

  /// SPDK's.
  public static let defaultRPCSocketPath = "/var/tmp/spdk.sock"
}
