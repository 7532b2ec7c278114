import Testing

@testable import TCPTransport

@Suite("When sending waits for what is being received")
struct SendGatheringTests {
  @Test("once after a receive, and never without one")
  func once() {
    var gathering = SendGathering()
    #expect(!gathering.shouldLook(unsentCount: 1, outstandingCount: 128))
    for _ in 0..<3 {
      gathering.noteReceive()
      #expect(gathering.shouldLook(unsentCount: 1, outstandingCount: 128))
      #expect(!gathering.shouldLook(unsentCount: 1, outstandingCount: 128), "what may not come is not waited for")
    }
  }

  @Test("the controller keeps most of the commands", arguments: [16, 17, 32, 128, 4095])
  func share(outstanding: Int) {
    for unsent in 1...outstanding {
      var gathering = SendGathering()
      gathering.noteReceive()
      let isHeld = gathering.shouldLook(unsentCount: unsent, outstandingCount: outstanding)
      #expect(isHeld == (unsent * 3 < outstanding), "\(unsent) of \(outstanding)")
    }
  }

  @Test("few commands are sent at once", arguments: 0..<16)
  func fewCommands(outstanding: Int) {
    for unsent in 0...outstanding {
      var gathering = SendGathering()
      gathering.noteReceive()
      #expect(!gathering.shouldLook(unsentCount: unsent, outstandingCount: outstanding))
    }
  }

  @Test("with nothing to send there is nothing to wait for")
  func nothing() {
    var gathering = SendGathering()
    gathering.noteReceive()
    #expect(!gathering.shouldLook(unsentCount: 0, outstandingCount: 128))
  }
}
