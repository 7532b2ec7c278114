@testable import BlockDevice
import Testing

@Suite struct SubsystemMembershipTests {
  private func look(_ membership: inout SubsystemMembership, shares: Bool, at milliseconds: UInt64) -> Bool {
    membership.look(
      sharesIdentifier: shares, keepAliveMilliseconds: 1000, nowNanoseconds: 5 + milliseconds * 1_000_000)
  }

  @Test func onlyWhoIsNewIsHeldAgainstTheOthers() {
    var membership = SubsystemMembership()
    #expect(look(&membership, shares: false, at: 0) && membership.isCertain)
    // A target may give the identifier to another, before this host knows that it has lost the controller.
    #expect(look(&membership, shares: true, at: 1))
  }

  @Test(arguments: [(2000, true), (2001, false)] as [(UInt64, Bool)])
  func whoSharesAnIdentifierForLongIsAStranger(milliseconds: UInt64, isMember: Bool) {
    var membership = SubsystemMembership()
    #expect(!look(&membership, shares: true, at: 0))
    #expect(!look(&membership, shares: true, at: 1000))
    #expect(look(&membership, shares: false, at: milliseconds) == isMember)
    // For good.
    #expect(look(&membership, shares: false, at: 100_000) == isMember)
  }
}
