/// Another discovery service that this target's discovery log refers hosts to.
public struct DiscoveryReferral: Sendable, Hashable {
  /// The well-known NQN of discovery services (NVMe Base 2.1, section 3.1.3.3).
  public static let wellKnownNQN = "nqn.2014-08.org.nvmexpress.discovery"

  public var nqn: String
  public var host: String
  /// TRSVCID.
  public var service: String
  public var portIdentifier: UInt16
  /// TRTYPE: 3 is TCP; others let tests see that hosts skip what they cannot reach.
  public var transportType: UInt8 = 3
  /// SUBTYPE: 1 is a referral; 2 pretends to be an NVM subsystem elsewhere.
  public var subsystemType: UInt8 = 1
  /// EFLAGS: bit 0 DUPRETINFO, bit 1 EPCSD, bit 2 NCC.
  public var flags: UInt16 = 0

  public init(
    nqn: String = DiscoveryReferral.wellKnownNQN, host: String, service: String, portIdentifier: UInt16 = 0
  ) {
    self.nqn = nqn
    self.host = host
    self.service = service
    self.portIdentifier = portIdentifier
  }
}
