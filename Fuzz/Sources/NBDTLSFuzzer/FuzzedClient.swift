import NBDProtocol
import NBDServer

/// A client of a ``ServerWorld`` whose words come from the fuzzer's input.
struct FuzzedClient {
  private enum Attack: CaseIterable {
    /// Bytes that no TLS has made, where a handshake belongs.
    case noise
    /// TLS as it should be, and anything in it.
    case plaintext
    /// TLS as it should be, and something happens to it on the way.
    case damage
    /// Something in the clear behind the request for TLS, where the handshake is expected; then TLS as it should be.
    case injection
  }

  private static let recordByteCount = 1 << 14
  private static let options: [NBDOption] = [
    .list, .structuredReply, .extendedHeaders, .info, .setMetaContext, .listMetaContext, .go, .abort, .startTLS,
    .exportName,
  ]
  /// Those after which negotiation goes on.
  private static let harmlessOptions = options.prefix(6)

  private var input: FuzzInput
  private let policy: NBDTLSPolicy
  private let world: ServerWorld
  private let attack: Attack
  private let isLimitedToVersion12: Bool
  private let isPatient: Bool
  private let greetedOptionCount: Int
  private var cookie: UInt64 = 0

  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    input = FuzzInput(bytes)
    let choice = input.byte()
    policy = choice & 1 == 0 ? .offered : .required
    isLimitedToVersion12 = choice & 2 != 0
    attack = Attack.allCases[Int(choice >> 2 & 3)]
    isPatient = choice & 0x10 == 0
    greetedOptionCount = Int(choice >> 5 & 3)
    let socket = ClientSocket(
      receivedPieces: PieceSizes(seed: input.byte()), sentPieces: PieceSizes(seed: input.byte()))
    world = ServerWorld(policy: policy, socket: socket)
  }

  static func option(_ option: NBDOption, _ data: [UInt8] = []) -> [UInt8] {
    bytes(NBDMagic.option) + bytes(option.rawValue) + bytes(UInt32(data.count)) + data
  }

  private static func bytes<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian) { Array($0) }
  }

  mutating func run() {
    let slipped = beginTLS()
    switch attack {
    case .noise: makeNoise()
    case .plaintext, .injection: talk(slipped: slipped, damage: nil)
    case .damage: talk(slipped: [], damage: Damage(&input))
    }
    world.end()
  }

  /// - Returns: what came in one piece with the request for TLS.
  private mutating func beginTLS() -> [UInt8] {
    var bytes: [UInt8] = [0, 0, 0, 3]
    for _ in 0..<greetedOptionCount {
      bytes += option(Self.harmlessOptions[input.below(Self.harmlessOptions.count)])
      if isPatient {
        send(bytes)
        bytes = []
      }
    }
    var slipped: [UInt8] = []
    if attack == .injection {
      let choice = input.byte()
      for _ in 0..<choice & 3 { slipped += option(Self.options[input.below(Self.options.count)]) }
      slipped += input.take(Int(choice >> 2))
    }
    send(bytes + Self.option(.startTLS) + slipped)
    check(world.isSecure, "TLS is refused")
    return slipped
  }

  private func send(_ bytes: [UInt8]) {
    world.socket.send(bytes)
    world.settle()
  }

  private func option(_ option: NBDOption) -> [UInt8] {
    switch option {
    case .info, .go: Self.option(option, Self.bytes(1 as UInt32) + Array("d".utf8) + [0, 1, 0, 3])
    case .setMetaContext, .listMetaContext:
      Self.option(
        option, Self.bytes(1 as UInt32) + Array("d".utf8) + [0, 0, 0, 1, 0, 0, 0, 15] + Array("base:allocation".utf8))
    case .exportName: Self.option(option, Array("d".utf8))
    default: Self.option(option)
    }
  }

  // MARK: No TLS

  /// As it comes, or in records, or as messages of a handshake in records.
  private mutating func makeNoise() {
    while !input.isEmpty {
      let choice = input.byte()
      var bytes = input.take(Int(input.byte()) + 1)
      if choice & 1 != 0 {
        if choice & 0x10 != 0 { bytes = [1, 0, 0, UInt8(truncatingIfNeeded: bytes.count)] + bytes }
        bytes = [20 + choice >> 1 & 3, 3, 1 + choice >> 3 & 1] + Self.bytes(UInt16(bytes.count)) + bytes
      }
      send(bytes)
    }
    check(world.takeCiphertext().count < 1 << 16, "much is answered to noise")
    // More than there is for negotiation.
    world.pass(seconds: 31)
    check(world.isClosed, "a handshake that never ends")
  }

  // MARK: TLS

  private mutating func talk(slipped: [UInt8], damage: Damage?) {
    let dialogue = Dialogue(
      world: world, client: HonestClient(isLimitedToVersion12: isLimitedToVersion12),
      reference: Reference(policy: policy, configuration: ServerWorld.configuration.transmission), damage: damage)
    dialogue.exchange()
    dialogue.handshakeEnded(mayFail: !slipped.isEmpty || damage != nil)
    var latest: [UInt8] = []
    while !input.isEmpty {
      let operation = input.byte()
      switch operation % 8 {
      case 0: latest = input.take(Int(input.byte()) + 1)
      case 1: latest = option(Self.options[input.below(Self.options.count)])
      case 2, 3: latest = request()
      case 4:
        dialogue.exchange()
        continue
      case 5:
        world.socket.isDeaf.toggle()
        continue
      case 6:
        dialogue.pass(seconds: input.below(40))
        continue
      default:
        // The same once more, and more often.
        let count = Int(operation >> 3)
        if count == 31 { dialogue.endSending() }
        for _ in 0..<count where !latest.isEmpty { dialogue.say(latest) }
        continue
      }
      for start in stride(from: 0, to: latest.count, by: Self.recordByteCount) {
        dialogue.say(Array(latest[start..<min(start + Self.recordByteCount, latest.count)]))
      }
    }
    dialogue.end()
  }

  /// A request that begins as it should, and mostly has the data that it says.
  private mutating func request() -> [UInt8] {
    let choice = input.byte()
    let command = UInt16(choice % 10)
    let isExtended = choice >= 0xC0
    let place = input.word()
    let blockCount = UInt32(input.byte() % 68)
    cookie += 1
    var bytes = Self.bytes(isExtended ? NBDMagic.extendedRequest : NBDMagic.request)
    bytes += [0, choice >> 4 & 3] + Self.bytes(command) + Self.bytes(cookie)
    bytes += Self.bytes(UInt64(place & 63) * 512 + UInt64(place >> 12 & 1))
    let byteCount = blockCount * 512
    bytes += isExtended ? Self.bytes(UInt64(byteCount)) : Self.bytes(byteCount)
    if command == NBDCommand.write.rawValue { bytes += repeatElement(choice, count: Int(byteCount)) }
    return bytes
  }
}
