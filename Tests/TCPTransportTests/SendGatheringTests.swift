import Testing

@testable import TCPTransport

@Suite("When sending waits for what is being received")
struct SendGatheringTests {
  /// Whether the first send after a receive waits.
  private func waits(unsent: Int, outstanding: Int) -> Bool {
    var gathering = SendGathering()
    gathering.noteReceive()
    return gathering.shouldLook(unsentCount: unsent, outstandingCount: outstanding)
  }

  @Test("once after a receive, and never without one")
  func once() {
    var gathering = SendGathering()
    let isEarly = gathering.shouldLook(unsentCount: 1, outstandingCount: 128)
    #expect(!isEarly)
    for _ in 0..<3 {
      gathering.noteReceive()
      let isFirst = gathering.shouldLook(unsentCount: 1, outstandingCount: 128)
      #expect(isFirst)
      let isSecond = gathering.shouldLook(unsentCount: 1, outstandingCount: 128)
      #expect(!isSecond, "what may not come is not waited for")
    }
  }

  @Test("the controller keeps most of the commands", arguments: [16, 17, 32, 128, 4095])
  func share(outstanding: Int) {
    for unsent in 1...outstanding {
      #expect(
        waits(unsent: unsent, outstanding: outstanding) == (unsent * 3 < outstanding), "\(unsent) of \(outstanding)")
    }
  }

  @Test("few commands are sent at once", arguments: 0..<16)
  func fewCommands(outstanding: Int) {
    for unsent in 0...outstanding { #expect(!waits(unsent: unsent, outstanding: outstanding)) }
  }

  @Test("with nothing to send there is nothing to wait for")
  func nothing() { #expect(!waits(unsent: 0, outstanding: 128)) }
}
