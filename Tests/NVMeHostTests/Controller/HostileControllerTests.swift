import NVMeHost
import NVMeProtocol
import TestSupport
import Testing

/// A controller that answers at random: whatever it says, the machine ends up ready or closed, and never traps.
@Suite struct HostileControllerTests {
  final class Source {
    var generator: SplitMix64
    var model = ScriptedController()
    init(seed: UInt64) { generator = SplitMix64(seed: seed) }

    func answer(_ entry: SubmissionQueueEntry) -> ScriptedController.Answer? {
      switch UInt8.random(in: 0..<100, using: &generator) {
      case 0..<3: return .status(StatusField(rawValue: UInt16.random(in: 0...UInt16.max, using: &generator)))
      case 3..<6:
        let count = Int.random(in: 0...4096, using: &generator)
        return .data((0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
      case 6..<9:
        // Right but for a few bytes.
        guard case .reply(var completion, var data) = model.answer(entry) else { return nil }
        for _ in 0..<4 where !data.isEmpty {
          data[Int.random(in: 0..<data.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
        }
        completion.dword0 ^= UInt32.random(in: 0...UInt32.max, using: &generator)
        return .reply(completion, data)
      case 9: return .hold
      default: return nil
      }
    }
  }

  @Test(arguments: Array(1...300) as [UInt64]) func anything(seed: UInt64) {
    let source = Source(seed: seed)
    var harness = EventTests.withANA { harness in
      harness.controller.namespaces[2] = EventTests.geometry
      harness.override = { _, entry in source.answer(entry) }
    }
    for _ in 0..<50 where !harness.isClosed {
      switch UInt8.random(in: 0..<4, using: &source.generator) {
      case 0: harness.passDeadline()
      case 1:
        guard let command = harness.held.randomElement(using: &source.generator) else { break }
        let result = UInt32.random(in: 0...UInt32.max, using: &source.generator)
        harness.send(.adminCompleted(tag: command.tag, CompletionQueueEntry(dword0: result), data: []))
      case 2:
        let events: [AsynchronousEvent] = [.namespaceAttributeChanged, .anaChange, .discoveryLogPageChange]
        let waiting = harness.held.filter { $0.entry.opcode == AdminOpcode.asynchronousEventRequest.rawValue }
        if let request = waiting.first, let event = events.randomElement(using: &source.generator) {
          harness.send(.adminCompleted(tag: request.tag, CompletionQueueEntry(dword0: event.rawValue), data: []))
        }
      default: harness.pass(milliseconds: 1000)
      }
    }
    // Every state has a way on: time alone brings it to ready or to its end.
    var patience = 0
    while !harness.isClosed && harness.machine.state != .ready && patience < 10_000 {
      let hasDeadline = harness.passDeadline()
      #expect(hasDeadline, "seed \(seed): stuck in \(harness.machine.state)")
      if !hasDeadline { break }
      patience += 1
    }
    #expect(harness.isClosed || harness.machine.state == .ready, "seed \(seed): \(harness.machine.state)")
    harness.override = nil
    harness.send(.shutdown)
    harness.pass(milliseconds: 120_000)
    #expect(harness.isClosed, "seed \(seed): \(harness.machine.state)")
  }
}
