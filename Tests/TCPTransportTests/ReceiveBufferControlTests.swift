import Testing

@testable import TCPTransport

@Suite("When the receive buffer is held")
struct ReceiveBufferControlTests {
  @Test("after many small payloads in a row, until a large one")
  func holdsAndReleases() {
    var control = ReceiveBufferControl()
    for round in 0..<3 {
      for count in 1..<ReceiveBufferControl.receivesBeforeHold {
        #expect(control.noteReceive(isLarge: false) == .none, "round \(round), receive \(count)")
      }
      #expect(control.noteReceive(isLarge: false) == .mayHold)
      control.didHold()
      #expect(control.noteReceive(isLarge: false) == .none)
      #expect(control.isHeld)
      #expect(control.noteReceive(isLarge: true) == .release)
      #expect(control.noteReceive(isLarge: true) == .none)
      #expect(!control.isHeld)
    }
  }

  @Test("a large payload now and then keeps it from being held")
  func mixed() {
    var control = ReceiveBufferControl()
    for count in 0..<10 * ReceiveBufferControl.receivesBeforeHold {
      #expect(control.noteReceive(isLarge: count % 1000 == 999) == .none)
    }
  }

  @Test("where it was not held, it is asked for again, and nothing is released")
  func refused() {
    var control = ReceiveBufferControl()
    var asked = 0
    for _ in 0..<5 * ReceiveBufferControl.receivesBeforeHold {
      asked += control.noteReceive(isLarge: false) == .mayHold ? 1 : 0
    }
    #expect(asked == 5)
    #expect(control.noteReceive(isLarge: true) == .none)
  }
}
