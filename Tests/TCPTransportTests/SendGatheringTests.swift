import RingReactor
import Testing

@testable import TCPTransport

@Suite("When sending waits for what is being received")
struct SendGatheringTests {
  /// Whether the first send after a receive waits.
  private func waits(unsent: Int, outstanding: Int) -> Bool {
    var gathering = SendGathering()
    gathering.noteReceive(isSpinning: false)
    return gathering.shouldLook(unsentCount: unsent, outstandingCount: outstanding)
  }

  @Test("once after a receive, and never without one")
  func once() {
    var gathering = SendGathering()
    let isEarly = gathering.shouldLook(unsentCount: 1, outstandingCount: 128)
    #expect(!isEarly)
    for _ in 0..<3 {
      gathering.noteReceive(isSpinning: false)
      let isFirst = gathering.shouldLook(unsentCount: 1, outstandingCount: 128)
      #expect(isFirst)
      let isSecond = gathering.shouldLook(unsentCount: 1, outstandingCount: 128)
      #expect(!isSecond, "what may not come is not waited for")
    }
  }

  /// How many looks in a row find nothing before the send.
  private func vainLooks(latestSend: Int) -> Int {
    var gathering = SendGathering()
    gathering.noteSend(byteCount: latestSend)
    gathering.noteReceive(isSpinning: true)
    var count = 0
    while gathering.shouldLook(unsentCount: 1, outstandingCount: 128) { count += 1 }
    return count
  }

  @Test("while the reactor spins, several times before bare commands, once before data")
  func spinning() {
    #expect(vainLooks(latestSend: SendGathering.largeSendByteCount - 1) == Int(SendGathering.mostVainLooks))
    #expect(vainLooks(latestSend: SendGathering.largeSendByteCount) == 1)
  }

  @Test("with its share held back it sends, and does not look again before the next receive")
  func enough() {
    var gathering = SendGathering()
    gathering.noteReceive(isSpinning: true)
    let isHeld = gathering.shouldLook(unsentCount: 43, outstandingCount: 128)
    #expect(!isHeld)
    let isHeldLater = gathering.shouldLook(unsentCount: 1, outstandingCount: 128)
    #expect(!isHeldLater)
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

  @Test("whoever sends data tells of fewer answers than an adaptive reactor sleeps for; several of them are as many")
  func expectedAnswers() {
    var gathering = SendGathering()
    #expect(gathering.expectedAnswerCount(outstandingCount: 512) == 512)
    gathering.noteSend(byteCount: SendGathering.largeSendByteCount)
    #expect(gathering.expectedAnswerCount(outstandingCount: 0) == 0)
    #expect(gathering.expectedAnswerCount(outstandingCount: 5) == 5)
    let few = gathering.expectedAnswerCount(outstandingCount: 512)
    #expect(few < Reactor.manyAnswers && 2 * few >= Reactor.manyAnswers)
    gathering.noteSend(byteCount: SendGathering.largeSendByteCount - 1)
    #expect(gathering.expectedAnswerCount(outstandingCount: 128) == 128)
  }

  @Test("with nothing to send there is nothing to wait for")
  func nothing() { #expect(!waits(unsent: 0, outstanding: 128)) }
}
