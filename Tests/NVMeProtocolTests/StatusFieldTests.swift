import NVMeProtocol
import Testing

@Suite struct StatusFieldTests {
  @Test func bits() {
    let status = StatusField(.mediaAndDataIntegrity, 0x85, commandRetryDelay: 3, more: true, doNotRetry: true)
    #expect(status.rawValue == 0b111_1_1010_1000_0101 & 0x7FFF)
    #expect(status.statusCodeType == .mediaAndDataIntegrity)
    #expect(status.statusCode == 0x85)
    #expect(status.commandRetryDelay == 3)
    #expect(status.more && status.doNotRetry)
    #expect(status.matches(.compareFailure))
    #expect(status.typeAndCode == .compareFailure)
    #expect(!status.isSuccess)
    #expect(StatusField(.generic, 0, commandRetryDelay: 1, more: true, doNotRetry: true).isSuccess)
    var cleared = status
    cleared.doNotRetry = false
    #expect(cleared.rawValue == status.rawValue & 0x3FFF)
    #expect(StatusField(rawValue: 0xFFFF).rawValue == 0x7FFF)
  }

  @Test(arguments: [
    (StatusField.success, "Successful Completion"),
    (.invalidFieldInCommand, "Invalid Field in Command"),
    (.lbaOutOfRange, "LBA Out of Range"),
    (StatusField(.generic, 0x2A), "Invalid Placement Handle List"),
    (.invalidLogPage, "Invalid Log Page"),
    (.connectIncompatibleFormat, "Conflicting Attributes, or of a fabrics command Connect Incompatible Format"),
    (
      .authenticationRequired, "Maximum Memory Ranges Exceeded, or of a fabrics command Authentication Required"
    ),
    (StatusField(.commandSpecific, 0x7F), "Stream Resource Allocation Failed"),
    (StatusField(.commandSpecific, 0x84), "Invalid Command ID, or of a fabrics command Connect Invalid Host"),
    (StatusField(.commandSpecific, 0x88), "Namespace Not Reachable"),
    (StatusField(.commandSpecific, 0x97), "Overlapping Memory Ranges"),
    (StatusField(.commandSpecific, 0xB7), "ZRWA Resources Unavailable"),
    (StatusField(.commandSpecific, 0xBF), "Invalid Zone State Transition"),
    (.compareFailure, "Compare Failure"),
    (.asymmetricAccessInaccessible, "Asymmetric Access Inaccessible"),
    (.hostPathingError, "Host Pathing Error"),
    (StatusField(StatusCodeType(rawValue: 7), 1), "Vendor Specific Status"),
    (StatusField(.generic, 0xC1), "Vendor Specific Status"),
    (StatusField(StatusCodeType(rawValue: 5), 1), "Unknown Status"),
  ])
  func names(status: StatusField, name: String) { #expect(status.name == name) }

  @Test func namesByKind() {
    #expect(StatusField.connectInvalidHost.name(for: .fabrics) == "Connect Invalid Host")
    #expect(StatusField(.commandSpecific, 0x83).name(for: .adminOrIO) == "Command Size Limit Exceeded")
    #expect(StatusField(.commandSpecific, 0x90).name(for: .adminOrIO) == "Invalid Program Type")
    #expect(StatusField(.commandSpecific, 0x90).name(for: .fabrics) == "Discover Restart")
    #expect(
      StatusField(.generic, 0x80, commandRetryDelay: 2, doNotRetry: true).description
        == "LBA Out of Range (SCT 0h, SC 80h, CRD 2, DNR)")
  }

  @Test func everyValueHasAName() {
    for raw in UInt16(0)..<0x8000 { #expect(!StatusField(rawValue: raw).name.isEmpty) }
  }
}
