public import NVMeProtocol

/// How long the controller of a lost association may still execute the commands it was sent (NVMe Base 2.1,
/// "Communication Loss Handling").
///
/// A host that has lost a controller cannot know whether the controller has noticed. The controller notices when its keep
/// alive timer expires, and then takes up to CQT to quiesce its commands. So that no old command can overtake a new one,
/// a command that modifies and whose outcome is unknown is only sent again when both times have passed:
///
/// - twice the keep alive time-out; three times where keep alive is traffic based (TBKAS), because a controller may then
///   notice a time-out later. These are the multipliers of TP4129, which became section 9.6 of NVMe Base 2.1 ("Communication
///   Loss Handling"); work on Linux's host driver goes by the same (linux-nvme list, April 2025, "nvme: delay failover by
///   command quiesce timeout": m × KATO + CQT, m = 3 with TBKAS, else 2);
/// - then CQT; where the controller does not report one (0), another keep alive time-out in its place.
///
/// The keep alive time-out is the controller's: it rounds what the host asks for up to its granularity, KAS (NVMe Base 2.1,
/// section 3.9). Where KAS is 10 s, as SPDK's targets have it, a host that has asked for 1 s is missed after 10 s.
///
/// The time counts from when the host has closed the association's connections: later than that it has sent nothing.
public struct CommunicationLossRule: Sendable, Hashable {
  /// KATO of the association as the host has asked for it; 0 = none.
  public var keepAliveTimeoutMilliseconds: UInt32
  /// KAS: the controller's keep alive timer has multiples of this; 0 = not known, taken for 1 ms.
  public var keepAliveGranularityMilliseconds: UInt32
  /// CTRATT.TBKAS
  public var isTrafficBased: Bool
  /// CQT; 0 = not reported.
  public var commandQuiesceTimeMilliseconds: UInt16

  public init(
    keepAliveTimeoutMilliseconds: UInt32, keepAliveGranularityMilliseconds: UInt32 = 0, isTrafficBased: Bool,
    commandQuiesceTimeMilliseconds: UInt16
  ) {
    self.keepAliveTimeoutMilliseconds = keepAliveTimeoutMilliseconds
    self.keepAliveGranularityMilliseconds = keepAliveGranularityMilliseconds
    self.isTrafficBased = isTrafficBased
    self.commandQuiesceTimeMilliseconds = commandQuiesceTimeMilliseconds
  }

  /// - Parameter identification: of the controller; nil where it never got so far, and nothing was sent to a namespace.
  public init(keepAliveTimeoutMilliseconds: UInt32, identification: IdentifyController?) {
    self.init(
      keepAliveTimeoutMilliseconds: keepAliveTimeoutMilliseconds,
      keepAliveGranularityMilliseconds: UInt32(identification?.keepAliveGranularityMilliseconds ?? 0),
      isTrafficBased: identification?.supportsTrafficBasedKeepAlive ?? true,
      commandQuiesceTimeMilliseconds: identification?.commandQuiesceTimeMilliseconds ?? 0)
  }

  /// KATO as the controller has it, in milliseconds; 0 = none.
  public var controllerKeepAliveMilliseconds: UInt64 {
    let granularity = UInt64(max(keepAliveGranularityMilliseconds, 1))
    return (UInt64(keepAliveTimeoutMilliseconds) + granularity - 1) / granularity * granularity
  }

  /// The wait in milliseconds; nil where no wait is long enough, because without keep alive a controller need never
  /// notice that its host is gone.
  public var quiesceMilliseconds: UInt64? {
    let keepAlive = controllerKeepAliveMilliseconds
    guard keepAlive > 0 else { return nil }
    let quiesce = commandQuiesceTimeMilliseconds > 0 ? UInt64(commandQuiesceTimeMilliseconds) : keepAlive
    return (isTrafficBased ? 3 : 2) * keepAlive + quiesce
  }
}
