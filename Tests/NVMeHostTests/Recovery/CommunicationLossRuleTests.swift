import NVMeHost
import NVMeProtocol
import Testing

@Suite struct CommunicationLossRuleTests {
  @Test(arguments: [
    // KATO, TBKAS, CQT; the wait.
    (10_000 as UInt32, false, 0 as UInt16, 30_000 as UInt64?),
    (10_000, true, 0, 40_000),
    (10_000, false, 250, 20_250),
    (10_000, true, 250, 30_250),
    (1, true, .max, 65_538),
    (.max, true, 0, 4 * UInt64(UInt32.max)),
    // Without keep alive a controller need never notice.
    (0, false, 500, nil),
    (0, true, 0, nil),
  ])
  func theWait(_ kato: UInt32, _ isTrafficBased: Bool, _ cqt: UInt16, _ wait: UInt64?) {
    let rule = CommunicationLossRule(
      keepAliveTimeoutMilliseconds: kato, isTrafficBased: isTrafficBased, commandQuiesceTimeMilliseconds: cqt)
    #expect(rule.quiesceMilliseconds == wait)
  }

  /// A controller whose timer is coarser than what the host has asked for notices a loss later.
  @Test(arguments: [
    // KATO, KAS in ms, TBKAS, CQT; the wait.
    (1000 as UInt32, 10_000 as UInt32, false, 0 as UInt16, 30_000 as UInt64?),
    (1000, 10_000, true, 500, 30_500),
    (10_000, 10_000, true, 1, 30_001),
    (10_001, 10_000, true, 1, 60_001),
    (1500, 1000, false, 1, 4001),
    (.max, 6_553_500, true, 0, 4 * 4_299_096_000),
    (0, 10_000, true, 0, nil),
  ])
  func theWaitIsOfTheControllersOwnTimer(
    _ kato: UInt32, _ granularity: UInt32, _ isTrafficBased: Bool, _ cqt: UInt16, _ wait: UInt64?
  ) {
    let rule = CommunicationLossRule(
      keepAliveTimeoutMilliseconds: kato, keepAliveGranularityMilliseconds: granularity, isTrafficBased: isTrafficBased,
      commandQuiesceTimeMilliseconds: cqt)
    #expect(rule.quiesceMilliseconds == wait)
  }

  @Test func itReadsIdentifyController() {
    var identification = IdentifyController()
    identification.controllerAttributes = 1 << 6
    identification.commandQuiesceTimeMilliseconds = 77
    let rule = CommunicationLossRule(keepAliveTimeoutMilliseconds: 100, identification: identification)
    #expect(rule.isTrafficBased && rule.quiesceMilliseconds == 377)
    identification.keepAliveSupport = 100
    let coarse = CommunicationLossRule(keepAliveTimeoutMilliseconds: 1000, identification: identification)
    #expect(coarse.controllerKeepAliveMilliseconds == 10_000 && coarse.quiesceMilliseconds == 30_077)
    // What is not known is taken for the longer wait.
    let unknown = CommunicationLossRule(keepAliveTimeoutMilliseconds: 100, identification: nil)
    #expect(unknown.quiesceMilliseconds == 400)
  }
}
