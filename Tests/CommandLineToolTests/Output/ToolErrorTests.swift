import BlockDevice
import Testing

@testable import CommandLineTool

struct ToolErrorTests {
  /// The connection is as it should be.
  @Test func aBusyControllerIsNoLostConnection() {
    let error = ToolError(.busy(waitingCount: 1024), target: "192.0.2.1:4420")
    #expect(error.status == .localError)
    #expect(
      error.description
        == "192.0.2.1:4420: the command was not sent: the controller is busy, 1024 admin commands are waiting already; "
        + "send it again when some have been answered")
  }
}
