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

  @Test func itReadsIdentifyController() {
    var identification = IdentifyController()
    identification.controllerAttributes = 1 << 6
    identification.commandQuiesceTimeMilliseconds = 77
    let rule = CommunicationLossRule(keepAliveTimeoutMilliseconds: 100, identification: identification)
    #expect(rule.isTrafficBased && rule.quiesceMilliseconds == 377)
    // What is not known is taken for the longer wait.
    let unknown = CommunicationLossRule(keepAliveTimeoutMilliseconds: 100, identification: nil)
    #expect(unknown.quiesceMilliseconds == 400)
  }
}
