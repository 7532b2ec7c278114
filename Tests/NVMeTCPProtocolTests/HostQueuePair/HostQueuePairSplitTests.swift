import NVMeProtocol
import NVMeTCPProtocol
import TestSupport
import Testing

/// However the network cuts the stream, and however little the socket takes at once: same completions, same memory, same
/// output.
@Suite("Host queue pair: split invariance")
struct HostQueuePairSplitTests {
  private struct Outcome: Equatable {
    var completions: [[UInt64]]
    var memory: [[UInt8]]
    var output: [UInt8]
    var isReady: Bool
  }

  /// How the streams are cut.
  enum Cut: Sendable, CaseIterable {
    case whole
    case bytes
    case small
    case medium
    case direct
  }

  /// A conversation that a seed decides, with the streams cut as asked for.
  private func run(seed: UInt64, cut: Cut, cutSeed: UInt64, isHostile: Bool) throws -> Outcome {
    var random = SplitMix64(seed: seed)
    var cutRandom = SplitMix64(seed: cutSeed)
    let depth = Int.random(in: 1...9, using: &random)
    let harness = HostQueuePairHarness(
      depth: depth, inCapsule: [0, 512, 8192].randomElement(using: &random)!, headerDigest: .random(using: &random),
      dataDigest: .random(using: &random), hostAlignment: .random(in: 0...31, using: &random))
    switch cut {
    case .whole: break
    case .bytes:
      harness.sendCut = { 1 }
      harness.receiveCut = { 1 }
    case .small, .direct:
      harness.sendCut = { Int.random(in: 1...100, using: &cutRandom) }
      harness.receiveCut = { Int.random(in: 1...100, using: &cutRandom) }
      if cut == .direct { harness.directThreshold = 1 }
    case .medium:
      harness.sendCut = { Int.random(in: 1...5000, using: &cutRandom) }
      harness.receiveCut = { Int.random(in: 1...5000, using: &cutRandom) }
    }
    try harness.connect(
      controllerAlignment: .random(in: 0...31, using: &random),
      maximumH2CDataLength: [4096, 4100, 65536].randomElement(using: &random)!)
    var memories: [HostQueuePairMemory] = []
    for _ in 0..<4 {
      memories += round(harness, depth: depth, &random)
      if isHostile && Int.random(in: 0..<3, using: &random) == 0 {
        harness.feed(pattern(Int.random(in: 1...200, using: &random), seed: random.next()))
        harness.send()
      }
    }
    let isReady = harness.state == .ready
    harness.engine.failAll()
    harness.takeCompletions()
    #expect(harness.freeSlotCount == depth)
    #expect(memories.allSatisfy { $0.isGuardIntact })
    return Outcome(
      completions: harness.completions.map {
        [$0.token, $0.result, UInt64($0.status.rawValue), UInt64($0.outcome.rawValue)]
      }, memory: memories.map(\.content), output: harness.output, isReady: isReady)
  }

  /// As many commands as there is room for, and the controller's answers in a random order.
  private func round(
    _ harness: HostQueuePairHarness, depth: Int, _ random: inout SplitMix64
  ) -> [HostQueuePairMemory] {
    var memories: [HostQueuePairMemory] = []
    let first = harness.controller.received.count
    for index in 0..<Int.random(in: 1...depth, using: &random) {
      let pieces = (0..<Int.random(in: 1...20, using: &random)).map { _ in Int.random(in: 0...700, using: &random) }
      let memory = HostQueuePairMemory(content: pattern(pieces.reduce(0, +), seed: random.next()), pieces: pieces)
      memories.append(memory)
      switch Int.random(in: 0..<3, using: &random) {
      case 0: harness.read(memory, token: UInt64(index))
      case 1: harness.write(memory, token: UInt64(index))
      default: harness.flush(token: UInt64(index))
      }
    }
    harness.send()
    var answers: [[UInt8]] = []
    for case .command(let entry, let data) in harness.controller.received.dropFirst(first) {
      if let answer = answer(harness, to: entry, hasData: !data.isEmpty, &random) { answers.append(answer) }
    }
    answers.shuffle(using: &random)
    harness.feed(Array(answers.joined()))
    harness.send()
    // What R2Ts have asked for has been sent: now the writes are answered.
    var answered = Set<UInt16>()
    for case .data(let header, _) in harness.controller.received.dropFirst(first)
    where header.common.flags.contains(.last) && answered.insert(header.commandIdentifier).inserted {
      harness.feed(harness.controller.response(header.commandIdentifier, result: 7))
    }
    return memories
  }

  private func answer(
    _ harness: HostQueuePairHarness, to entry: SubmissionQueueEntry, hasData: Bool, _ random: inout SplitMix64
  ) -> [UInt8]? {
    let identifier = entry.commandIdentifier
    let length = Int(entry.sgl.length)
    switch entry.opcode {
    case 1 where length > 0 && !hasData:
      return harness.controller.readyToTransfer(identifier, tag: identifier, offset: 0, length: length)
    case 2 where length > 0:
      let content = pattern(length, seed: random.next())
      var bytes: [UInt8] = []
      var offset = 0
      let isSuccess = Bool.random(using: &random)
      while offset < length {
        let count = min(length - offset, Int.random(in: 1...2000, using: &random) * 4)
        let isLast = offset + count == length
        bytes += harness.controller.data(
          identifier, offset: offset, content[offset..<offset + count], isLast: isLast, isSuccess: isLast && isSuccess,
          breaksDigest: Int.random(in: 0..<10, using: &random) == 0)
        offset += count
      }
      return isSuccess ? bytes : bytes + harness.controller.response(identifier, result: 2)
    default:
      return harness.controller.response(
        identifier, status: Bool.random(using: &random) ? .success : .internalError, result: 1)
    }
  }

  @Test("any chunks give the same result", arguments: 0..<25 as Range<UInt64>, [false, true])
  func chunks(seed: UInt64, isHostile: Bool) throws {
    let whole = try run(seed: seed, cut: .whole, cutSeed: 0, isHostile: isHostile)
    for cut in Cut.allCases where cut != .whole {
      let other = try run(seed: seed, cut: cut, cutSeed: seed &+ 1000, isHostile: isHostile)
      #expect(other.completions == whole.completions, "cut: \(cut)")
      #expect(other.memory == whole.memory, "cut: \(cut)")
      #expect(other.output == whole.output, "cut: \(cut)")
      #expect(other.isReady == whole.isReady, "cut: \(cut)")
    }
    if !isHostile { #expect(whole.isReady) }
  }
}
