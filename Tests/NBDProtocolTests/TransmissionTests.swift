import NBDProtocol
import NVMeProtocol
import TestSupport
import Testing

/// The transmission phase.
@Suite struct TransmissionTests {
  static let styles: [NBDReplyStyle] = [.simple, .structured, .extended]

  // MARK: Golden

  struct Exchange: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var style: NBDReplyStyle
    var input: String
    var output: String
  }

  /// Written by hand from doc/proto.md. The disk's bytes are set to A0, A1, … at 512.
  static let exchanges: [Exchange] = [
    Exchange(
      testDescription: "read, simple", style: .simple,
      input: "25609513 0000 0000 1122334455667788 0000000000000200 00000004",
      output: "67446698 00000000 1122334455667788 a0a1a2a3"),
    Exchange(
      testDescription: "read, structured", style: .structured,
      input: "25609513 0004 0000 1122334455667788 0000000000000201 00000003",
      output: "668e33ef 0001 0001 1122334455667788 0000000b 0000000000000201 a1a2a3"),
    Exchange(
      testDescription: "read, extended", style: .extended,
      input: "21e41c71 0000 0000 1122334455667788 0000000000000200 0000000000000002",
      output: "6e8a278c 0001 0001 1122334455667788 0000000000000200 000000000000000a 0000000000000200 a0a1"),
    Exchange(
      testDescription: "flush, simple", style: .simple,
      input: "25609513 0000 0003 0000000000000001 0000000000000000 00000000",
      output: "67446698 00000000 0000000000000001"),
    Exchange(
      testDescription: "flush, structured, with FUA", style: .structured,
      input: "25609513 0001 0003 0000000000000001 0000000000000000 00000000",
      output: "67446698 00000000 0000000000000001"),
    Exchange(
      testDescription: "trim, extended", style: .extended,
      input: "21e41c71 0000 0004 0000000000000002 0000000000000400 0000000000000400",
      output: "6e8a278c 0001 0000 0000000000000002 0000000000000400 0000000000000000"),
    Exchange(
      testDescription: "write zeroes, not a hole, fast", style: .simple,
      input: "25609513 0012 0006 0000000000000003 0000000000000400 00000400",
      output: "67446698 00000000 0000000000000003"),
    Exchange(
      testDescription: "cache", style: .simple,
      input: "25609513 0000 0005 0000000000000004 0000000000000000 00010000",
      output: "67446698 00000000 0000000000000004"),
    Exchange(
      testDescription: "block status", style: .structured,
      input: "25609513 0008 0007 0000000000000005 0000000000000000 00010000",
      output: "668e33ef 0001 0005 0000000000000005 0000000c 00000007 00010000 00000000"),
    Exchange(
      testDescription: "block status, extended", style: .extended,
      input: "21e41c71 0000 0007 0000000000000005 0000000000000200 0000000000000400",
      output:
        "6e8a278c 0001 0006 0000000000000005 0000000000000200 0000000000000018 00000007 00000001 0000000000000400 0000000000000000"
    ),
    Exchange(
      testDescription: "read beyond the end, simple", style: .simple,
      input: "25609513 0000 0000 0000000000000006 0000000000010000 00000001",
      output: "67446698 00000016 0000000000000006"),
    Exchange(
      testDescription: "zero length, structured", style: .structured,
      input: "25609513 0000 0000 0000000000000006 0000000000000000 00000000",
      output: "668e33ef 0001 8001 0000000000000006 00000018 00000016 0012 746865206c656e677468206973207a65726f"),
    Exchange(
      testDescription: "zero length, extended", style: .extended,
      input: "21e41c71 0000 0000 0000000000000006 0000000000000007 0000000000000000",
      output:
        "6e8a278c 0001 8001 0000000000000006 0000000000000007 0000000000000018 00000016 0012 746865206c656e677468206973207a65726f"
    ),
    Exchange(
      testDescription: "disconnect", style: .simple,
      input: "25609513 0000 0002 0000000000000000 0000000000000000 00000000", output: ""),
  ]

  private static func world(_ style: NBDReplyStyle) -> TransmissionWorld {
    let world = TransmissionWorld(style: style, hasContext: true)
    for index in 0..<512 { world.disk[512 + index] = UInt8(truncatingIfNeeded: 0xA0 + index) }
    return world
  }

  @Test(arguments: exchanges) func golden(_ exchange: Exchange) {
    let input = hexadecimal(exchange.input)
    for size in [1, 3, 27, 28, 29, 1000] {
      let world = Self.world(exchange.style)
      var rest = input[...]
      while !rest.isEmpty {
        #expect(world.feed(Array(rest.prefix(size))) == min(size, rest.count))
        rest = rest.dropFirst(size)
      }
      #expect(world.output == hexadecimal(exchange.output))
      #expect(world.hasNothingToDo)
    }
  }

  @Test(arguments: styles) func write(_ style: NBDReplyStyle) {
    let payload = [UInt8](repeating: 0x5A, count: 1024)
    let request = ClientRequest(
      command: .write, flags: style == .extended ? [.payloadLength, .forceUnitAccess] : .forceUnitAccess, cookie: 9,
      offset: 512, length: 1024, payload: payload
    ).encoded(style)
    for size in [1, 13, 1000, 2000] {
      let world = TransmissionWorld(style: style)
      world.answersAtOnce = false
      var rest = request[...]
      while !rest.isEmpty {
        world.feed(Array(rest.prefix(size)))
        rest = rest.dropFirst(size)
      }
      #expect(world.held.count == 1)
      #expect(world.held.first?.isForceUnitAccess == true)
      for request in world.held { world.carryOut(request) }
      world.work()
      #expect(Array(world.disk[512..<1536]) == payload)
      #expect(ClientReply.parse(world.output, style: style, reads: [:]) == [ClientReply(cookie: 9)])
    }
  }

  // MARK: Errors

  struct Refused: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var request: ClientRequest
    var error: NBDError
    /// On the export "frozen".
    var isFrozen = false
    var styles = TransmissionTests.styles
  }

  static let refused: [Refused] = [
    Refused(testDescription: "read without length", request: ClientRequest(command: .read), error: .invalid),
    Refused(
      testDescription: "read beyond the end", request: ClientRequest(command: .read, offset: 65_535, length: 2),
      error: .invalid),
    Refused(
      testDescription: "read from the end of numbers", request: ClientRequest(command: .read, offset: .max, length: 2),
      error: .invalid),
    Refused(
      testDescription: "read too much", request: ClientRequest(command: .read, length: 16_385), error: .invalid,
      styles: [.simple]),
    Refused(
      testDescription: "read too much, chunks", request: ClientRequest(command: .read, length: 16_385),
      error: .overflow,
      styles: [.structured, .extended]),
    Refused(
      testDescription: "DF without chunks", request: ClientRequest(command: .read, flags: .doNotFragment, length: 1),
      error: .invalid, styles: [.simple]),
    Refused(
      testDescription: "an unknown flag", request: ClientRequest(command: .flush, flags: [.init(rawValue: 1 << 15)]),
      error: .invalid),
    Refused(
      testDescription: "write between blocks",
      request: ClientRequest(command: .write, offset: 1, length: 512, payload: [UInt8](repeating: 0, count: 512)),
      error: .invalid),
    Refused(
      testDescription: "write of half a block",
      request: ClientRequest(command: .write, offset: 0, length: 100, payload: [UInt8](repeating: 0, count: 100)),
      error: .invalid),
    Refused(
      testDescription: "write beyond the end",
      request: ClientRequest(command: .write, offset: 65_536, length: 512, payload: [UInt8](repeating: 0, count: 512)),
      error: .noSpace),
    Refused(
      testDescription: "write too much",
      request: ClientRequest(command: .write, offset: 0, length: 16_896, payload: [UInt8](repeating: 0, count: 16_896)),
      error: .invalid),
    Refused(
      testDescription: "write nothing", request: ClientRequest(command: .write), error: .invalid,
      styles: [.simple, .structured]),
    Refused(
      testDescription: "flush of a range", request: ClientRequest(command: .flush, length: 512), error: .invalid),
    Refused(
      testDescription: "trim beyond the end", request: ClientRequest(command: .trim, offset: 65_536, length: 512),
      error: .invalid),
    Refused(
      testDescription: "zeroes beyond the end",
      request: ClientRequest(command: .writeZeroes, offset: 65_536, length: 512),
      error: .noSpace),
    Refused(
      testDescription: "zeroes between blocks", request: ClientRequest(command: .writeZeroes, offset: 1, length: 511),
      error: .invalid),
    Refused(
      testDescription: "cache beyond the end", request: ClientRequest(command: .cache, offset: 65_536, length: 512),
      error: .invalid),
    Refused(
      testDescription: "block status without a context", request: ClientRequest(command: .blockStatus, length: 512),
      error: .invalid),
    Refused(testDescription: "resize", request: ClientRequest(command: .resize, offset: 1 << 20), error: .invalid),
    Refused(testDescription: "nonsense", request: ClientRequest(command: NBDCommand(rawValue: 999)), error: .invalid),
    Refused(
      testDescription: "a write to what is frozen",
      request: ClientRequest(command: .write, length: 4096, payload: [UInt8](repeating: 0, count: 4096)),
      error: .notPermitted, isFrozen: true),
    Refused(
      testDescription: "a trim of what is frozen", request: ClientRequest(command: .trim, length: 4096),
      error: .notPermitted, isFrozen: true),
    Refused(
      testDescription: "zeroes to what is frozen", request: ClientRequest(command: .writeZeroes, length: 4096),
      error: .notPermitted, isFrozen: true),
    Refused(
      testDescription: "FUA where there is none", request: ClientRequest(command: .flush, flags: .forceUnitAccess),
      error: .invalid, isFrozen: true),
    Refused(
      testDescription: "a write without a payload", request: ClientRequest(command: .write, length: 512),
      error: .invalid,
      styles: [.extended]),
    Refused(
      testDescription: "a read with a payload",
      request: ClientRequest(command: .read, flags: .payloadLength, length: 3, payload: [1, 2, 3]), error: .invalid,
      styles: [.extended]),
    Refused(
      testDescription: "a flag of extended headers without them",
      request: ClientRequest(command: .flush, flags: .payloadLength), error: .invalid, styles: [.simple, .structured]),
    Refused(
      testDescription: "zeroes of 2^64", request: ClientRequest(command: .writeZeroes, offset: 512, length: .max),
      error: .noSpace,
      styles: [.extended]),
  ]

  /// Each is answered, and the request behind it is understood.
  @Test(arguments: refused) func refusals(_ refused: Refused) {
    for style in refused.styles {
      var request = refused.request
      request.cookie = 0xFEED
      if style == .extended, request.command == .write, !request.payload.isEmpty {
        request.flags.insert(.payloadLength)
      }
      let input = request.encoded(style) + ClientRequest(command: .read, cookie: 2, length: 16).encoded(style)
      for size in [7, 100, 100_000] {
        let world = TransmissionWorld(refused.isFrozen ? Catalogue.frozen : Catalogue.disk, style: style)
        let before = world.disk
        var rest = input[...]
        while !rest.isEmpty {
          world.feed(Array(rest.prefix(size)))
          rest = rest.dropFirst(size)
        }
        let replies = ClientReply.parse(world.output, style: style, reads: [2: (0, 16)]) ?? []
        #expect(Set(replies.map(\.cookie)) == [0xFEED, 2])
        #expect(replies.first { $0.cookie == 0xFEED }?.error == refused.error.rawValue)
        #expect(replies.first { $0.cookie == 2 }?.data == Array(before.prefix(16)))
        #expect(world.disk == before)
        #expect(world.isIdle)
        #expect(world.pool.lentByteCount == 0)
      }
    }
  }

  @Test func violations() {
    let world = TransmissionWorld()
    world.feed([UInt8](repeating: 0xFF, count: 28))
    #expect(world.state == .violated(.badMagic))
    let other = TransmissionWorld(style: .structured)
    other.feed(ClientRequest(command: .write, length: UInt64(1 << 25) + 1).encoded(.structured))
    #expect(other.state == .violated(.oversizedPayload))
    // Compact requests and extended ones are not mixed.
    let mixed = TransmissionWorld(style: .extended)
    mixed.feed(ClientRequest(command: .flush).encoded(.simple) + [0, 0, 0, 0])
    #expect(mixed.state == .violated(.badMagic))
    for world in [world, other, mixed] {
      #expect(world.output.isEmpty)
      #expect(world.feed([1, 2, 3]) == 0)
    }
  }

  @Test func goodbye() {
    let world = TransmissionWorld()
    world.answersAtOnce = false
    let read = ClientRequest(command: .read, cookie: 1, length: 8).encoded(.simple)
    let taken = world.feed(read + ClientRequest(command: .disconnect).encoded(.simple) + read)
    #expect(taken == 56)
    #expect(world.state == .disconnecting)
    #expect(!world.hasNothingToDo)
    world.carryOut(world.held[0])
    world.work()
    #expect(world.hasNothingToDo)
    #expect(world.output.count == 24)
  }

  /// Requests that are answered while the device has them: before and after it is done, those that wait, and half a one.
  @Test func abandonedRequests() {
    for style in Self.styles {
      var configuration = NBDTransmissionConfiguration()
      configuration.memoryLimitByteCount = 8192
      let world = TransmissionWorld(style: style, configuration: configuration)
      world.answersAtOnce = false
      func request(_ command: NBDCommand, _ cookie: UInt64) -> [UInt8] {
        ClientRequest(command: command, cookie: cookie, length: 4096).encoded(style)
      }
      world.feed((1...4).flatMap { request(.read, $0) })
      world.feed(ClientRequest(command: .flush, cookie: 5).encoded(style))
      #expect(world.held.count == 3)
      world.carryOut(world.held.removeLast())
      world.engine.abandonRequests(.shutdown)
      // One of them is done before its answer goes, the other one behind it.
      world.carryOut(world.held[0])
      world.send()
      #expect(world.hasNothingToDo)
      #expect(!world.isIdle && world.pool.lentByteCount == 4096)
      world.engine.abandonRequests(.shutdown)
      world.carryOut(world.held[1])
      world.send()
      #expect(world.isIdle && world.pool.lentByteCount == 0)
      let replies = ClientReply.parse(world.output, style: style, reads: [:]) ?? []
      #expect(replies.map(\.cookie).sorted() == [1, 2, 3, 4, 5])
      #expect(replies.allSatisfy { $0.error == ($0.cookie == 5 ? 0 : NBDError.shutdown.rawValue) })
    }
  }

  @Test func rejection() {
    let world = TransmissionWorld(style: .structured)
    world.answersAtOnce = false
    world.feed(ClientRequest(command: .read, cookie: 1, length: 8).encoded(.structured))
    world.engine.rejection = .shutdown
    world.feed(ClientRequest(command: .read, cookie: 2, length: 8).encoded(.structured))
    world.carryOut(world.held[0])
    world.work()
    let replies = ClientReply.parse(world.output, style: .structured, reads: [1: (0, 8), 2: (0, 8)]) ?? []
    #expect(replies.map(\.cookie) == [2, 1])
    #expect(replies.map(\.error) == [NBDError.shutdown.rawValue, 0])
  }

  @Test(arguments: NBDFailure.allCases) func failuresOfTheDevice(_ failure: NBDFailure) {
    for style in Self.styles {
      let world = TransmissionWorld(style: style)
      world.answersAtOnce = false
      world.feed(ClientRequest(command: .read, cookie: 1, length: 8).encoded(style))
      world.carryOut(world.held[0], failure: failure)
      world.work()
      let replies = ClientReply.parse(world.output, style: style, reads: [1: (0, 8)])
      #expect(replies == [ClientReply(cookie: 1, error: failure.error.rawValue)])
      #expect(world.pool.lentByteCount == 0)
    }
  }

  @Test func resize() {
    let world = TransmissionWorld()
    world.disk += [UInt8](repeating: 1, count: 512)
    let read = ClientRequest(command: .read, cookie: 1, offset: 65_536, length: 512).encoded(.simple)
    world.feed(read)
    world.engine.limits.byteCount += 512
    world.feed(read)
    world.engine.limits.byteCount -= 1024
    world.feed(read)
    let output = hexadecimal("67446698 00000016 0000000000000001")
    #expect(Array(world.output.prefix(16)) == output)
    #expect(Array(world.output.suffix(16)) == output)
    #expect(world.output.count == 48 + 512)
  }

  @Test func partOfATrim() {
    let world = TransmissionWorld()
    let before = world.disk
    world.feed(ClientRequest(command: .trim, cookie: 1, offset: 1, length: 1022).encoded(.simple))
    #expect(world.disk == before)
    world.feed(ClientRequest(command: .trim, cookie: 2, offset: 1, length: 1535).encoded(.simple))
    #expect(Array(world.disk[512..<1536]) == [UInt8](repeating: 0, count: 1024))
    #expect(Array(world.disk[..<512]) == Array(before[..<512]))
    #expect(Array(world.disk[1536...]) == Array(before[1536...]))
    #expect(world.output.count == 32)
  }

  // MARK: Bounds

  @Test func requestLimit() {
    var configuration = NBDTransmissionConfiguration()
    configuration.requestLimit = 2
    for style in Self.styles {
      let world = TransmissionWorld(style: style, configuration: configuration)
      world.answersAtOnce = false
      let request = ClientRequest(command: .read, cookie: 1, length: 8).encoded(style)
      let input = (0..<10).flatMap { _ in request }
      // Two, and the header of a third when it comes in pieces.
      #expect(world.feed(input) == 2 * request.count)
      #expect(world.held.count == 2)
      #expect(world.feed(Array(request.prefix(5))) == 5)
      #expect(world.feed(Array(request.dropFirst(5))) == request.count - 5)
      #expect(world.isWaitingForPlace)
      #expect(world.feed(request) == 0)
      world.carryOut(world.held.removeFirst())
      world.work()
      world.feed([])
      #expect(world.held.count == 2)
      #expect(!world.isWaitingForPlace)
      while !world.held.isEmpty { world.carryOut(world.held.removeFirst()) }
      world.work()
      #expect(world.isIdle)
    }
  }

  @Test func memoryLimit() {
    var configuration = NBDTransmissionConfiguration()
    configuration.memoryLimitByteCount = 20_000
    let world = TransmissionWorld(configuration: configuration)
    world.answersAtOnce = false
    func read(_ length: UInt64) -> [UInt8] { ClientRequest(command: .read, cookie: 1, length: length).encoded(.simple) }
    func write(_ length: UInt64) -> [UInt8] {
      ClientRequest(command: .write, cookie: 1, length: length, payload: [UInt8](repeating: 1, count: Int(length)))
        .encoded(.simple)
    }
    // Reads wait where they are known, writes in the socket.
    world.feed(read(16_384) + read(4096) + read(4096))
    #expect(world.held.count == 1)
    #expect(world.pool.lentByteCount == 16_384)
    #expect(world.feed(write(4096)) == 0)
    world.carryOut(world.held.removeFirst())
    world.work()
    #expect(world.held.count == 2)
    #expect(world.feed(write(4096) + write(4096) + write(4096)) == 2 * 4124)
    #expect(world.pool.lentByteCount == 16_384)
    while !world.held.isEmpty { world.carryOut(world.held.removeFirst()) }
    world.work()
    #expect(world.pool.lentByteCount == 0)
    // One may always be there, however large.
    configuration.memoryLimitByteCount = 1
    let small = TransmissionWorld(configuration: configuration)
    #expect(small.feed(read(16_384)) == 28)
    #expect(small.output.count == 16_400)
  }

  /// Reads and writes that want more memory than there is, one behind the other: all come to their ends.
  @Test(arguments: 0..<40) func nothingWaitsForWhatIsBehindIt(_ seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    var limits = Catalogue.disk
    limits.limits.maximumPayloadByteCount = 64 << 10
    var configuration = NBDTransmissionConfiguration()
    configuration.memoryLimitByteCount = Int.random(in: 8 << 10...100 << 10, using: &random)
    let world = TransmissionWorld(limits, configuration: configuration)
    world.answersAtOnce = false
    var rest: [UInt8] = []
    var left = 60
    for cookie in 0..<UInt64(left) {
      let length = 512 * Int.random(in: 1...128, using: &random)
      let isRead = Bool.random(using: &random)
      rest += ClientRequest(
        command: isRead ? .read : .write, cookie: cookie, length: UInt64(length),
        payload: isRead ? [] : [UInt8](repeating: 1, count: length)
      ).encoded(.simple)
    }
    while left > 0 {
      let taken = world.feed(Array(rest.prefix(Int.random(in: 1...70_000, using: &random))))
      rest.removeFirst(taken)
      #expect(world.pool.lentByteCount <= max(configuration.memoryLimitByteCount, 64 << 10))
      if world.held.isEmpty {
        #expect(taken > 0, "nothing moves, and \(left) requests are left")
        if taken == 0 { break }
        continue
      }
      world.carryOut(world.held.remove(at: Int.random(in: 0..<world.held.count, using: &random)))
      world.work()
      left -= 1
    }
    #expect(world.isIdle && world.pool.lentByteCount == 0)
  }

  /// What has no data needs no memory: it does not wait behind a read that does.
  @Test func whatNeedsNoMemoryGoesFirst() {
    var configuration = NBDTransmissionConfiguration()
    configuration.memoryLimitByteCount = 4096
    let world = TransmissionWorld(configuration: configuration)
    world.answersAtOnce = false
    func request(_ command: NBDCommand) -> [UInt8] {
      ClientRequest(command: command, cookie: 1, length: command == .flush ? 0 : 4096).encoded(.simple)
    }
    world.feed(request(.read) + request(.read) + request(.flush) + request(.trim) + request(.writeZeroes))
    #expect(world.held.map(\.operation) == [.read, .flush, .trim, .writeZeroes])
    while !world.held.isEmpty {
      world.carryOut(world.held.removeFirst())
      world.work()
    }
    #expect(world.isIdle && world.pool.lentByteCount == 0)
  }

  /// A large answer goes in parts, each of which is told: whoever waits hears of progress.
  @Test(arguments: styles) func largeAnswersGoInParts(_ style: NBDReplyStyle) {
    let byteCount = 5 << 19
    let data = pattern(byteCount, seed: 6)
    var limits = Catalogue.disk
    limits.limits.byteCount = UInt64(byteCount)
    limits.limits.maximumPayloadByteCount = UInt32(byteCount)
    for sizes in [[], [1], [1 << 20], [(1 << 20) - 1, 3, 700_000]] {
      let world = TransmissionWorld(limits, style: style)
      world.disk = data
      world.sendSizes = sizes == [1] ? [1] + [Int](repeating: 1 << 19, count: 50) : sizes
      let requests = [(byteCount, 1), (100, 2), (byteCount, 3)].flatMap { length, cookie in
        ClientRequest(command: .read, cookie: UInt64(cookie), length: UInt64(length)).encoded(style)
      }
      _ = requests.withUnsafeBytes { world.engine.receive($0) }
      while let request = world.engine.popRequest() { world.carryOut(request) }
      // The same as often as anybody asks.
      for _ in 0..<2 {
        let count = world.engine.buildSend().reduce(0) { $0 + $1.count }
        #expect(count == NBDTransmission.replyWindowByteCount)
      }
      world.work()
      let replies = ClientReply.parse(
        world.output, style: style, reads: [1: (0, byteCount), 2: (0, 100), 3: (0, byteCount)])
      #expect(replies?.map(\.cookie) == [1, 2, 3])
      #expect(replies?.map(\.data) == [data, Array(data[..<100]), data])
      #expect(world.isIdle && world.pool.lentByteCount == 0)
    }
  }

  @Test func whatIsNotFetchedIsNotRead() {
    var limits = Catalogue.disk
    limits.limits.byteCount = 1 << 20
    limits.limits.maximumPayloadByteCount = 1 << 20
    let world = TransmissionWorld(limits)
    let request = ClientRequest(command: .read, cookie: 1, length: 256 << 10).encoded(.simple)
    // A client that fetches nothing.
    for _ in 0..<8 { _ = request.withUnsafeBytes { world.engine.receive($0) } }
    var count = 0
    while let request = world.engine.popRequest() {
      world.carryOut(request)
      count += 1
    }
    #expect(count == 4)
    #expect(world.pool.lentByteCount == 1 << 20)
    world.work()
    #expect(world.output.count == 8 * (16 + (256 << 10)))
    #expect(world.isIdle)
  }

  @Test func whatIsLeftIsGivenBack() {
    let pool: NBDBufferPool
    do {
      let world = TransmissionWorld()
      pool = world.pool
      world.feed(ClientRequest(command: .write, length: 4096, payload: [1, 2, 3]).encoded(.simple))
      #expect(pool.lentByteCount == 4096)
    }
    #expect(pool.lentByteCount == 0)
  }

  @Test func bufferPool() {
    let pool = NBDBufferPool(maximumKeptByteCount: 20_000)
    for (count, sizeClass) in [(1, 0), (4096, 0), (4097, 1), (8192, 1), (1 << 25, 13), (1 << 25 + 1, 14)] {
      #expect(NBDBufferPool.sizeClass(forByteCount: count) == UInt8(sizeClass))
      #expect(NBDBufferPool.byteCount(of: UInt8(sizeClass)) >= count)
    }
    let first = pool.take(0)
    let second = pool.take(2)
    #expect(pool.lentByteCount == 4096 + 16_384)
    pool.give(first, 0)
    pool.give(second, 2)
    #expect(pool.keptByteCount == 4096)
    #expect(pool.take(0) == first)
    pool.give(first, 0)
    pool.removeAll()
    #expect(pool.keptByteCount == 0)
  }

  /// Beyond what each has for itself clients share, and get it in the order of asking.
  @Test func sharedMemory() {
    let pool = NBDBufferPool(maximumBorrowedByteCount: 100)
    let places = UnsafeMutableRawPointer.allocate(byteCount: 4, alignment: 1)
    defer { places.deallocate() }
    let clients = (0..<4).map { NBDBufferPool.Client(places + $0) }
    // One may always have what it needs.
    #expect(pool.borrow(1000, clients[0]))
    #expect(!pool.borrow(60, clients[1]))
    #expect(!pool.borrow(10, clients[2]))
    #expect(!pool.borrow(20, clients[1]))
    #expect(pool.nextTurn() == nil)
    pool.giveBack(950)
    // Nobody goes before the one who has waited longest.
    #expect(!pool.borrow(10, clients[3]))
    #expect(!pool.borrow(10, clients[2]))
    #expect(pool.nextTurn() == clients[1])
    // What is in vain keeps the turn.
    #expect(!pool.borrow(60, clients[1]))
    #expect(pool.nextTurn() == nil)
    #expect(!pool.borrow(10, clients[2]))
    pool.giveBack(10)
    #expect(pool.nextTurn() == clients[1])
    #expect(pool.borrow(60, clients[1]))
    #expect(pool.nextTurn() == nil)
    pool.giveBack(60)
    #expect(pool.nextTurn() == clients[2])
    // One at a time: they would push each other back.
    #expect(pool.nextTurn() == nil)
    // Whoever does not use its turn holds nobody up, nor does one who is no more.
    pool.endTurn(of: clients[2])
    #expect(pool.nextTurn() == clients[3])
    #expect(pool.borrow(60, clients[3]))
    #expect(!pool.hasWaiters)
    #expect(!pool.borrow(10, clients[0]))
    #expect(!pool.borrow(10, clients[2]))
    pool.stopWaiting(clients[0])
    pool.giveBack(60)
    #expect(pool.nextTurn() == clients[2])
    pool.giveBack(40)
    #expect(pool.borrowedByteCount == 0)
  }

  /// Engines that share memory: what they have together is bounded, each has its own, and all get everything in the end.
  @Test func enginesShareMemory() {
    var configuration = NBDTransmissionConfiguration()
    configuration.ownMemoryByteCount = 4096
    let pool = NBDBufferPool(maximumBorrowedByteCount: 16_384)
    let worlds = (0..<10).map { _ in TransmissionWorld(configuration: configuration, pool: pool) }
    let read = ClientRequest(command: .read, cookie: 1, length: 8192).encoded(.simple)
    let write = ClientRequest(
      command: .write, cookie: 2, length: 4096, payload: [UInt8](repeating: 1, count: 4096)
    ).encoded(.simple)
    var left = worlds.map { _ in write + read + read + read }
    for (index, world) in worlds.enumerated() {
      world.answersAtOnce = false
      left[index].removeFirst(world.feed(left[index]))
    }
    // Writes have their own memory, reads what is shared; what was there first has most of it.
    #expect(worlds.allSatisfy { !$0.held.isEmpty })
    #expect(pool.lentByteCount == 10 * 4096 + 16_384)
    #expect(pool.hasWaiters)
    var peak = 0
    while worlds.contains(where: { !$0.held.isEmpty }) {
      for (index, world) in worlds.enumerated() where !world.held.isEmpty {
        world.carryOut(world.held.removeFirst())
        world.work()
        left[index].removeFirst(world.feed(left[index]))
        while let client = pool.nextTurn() {
          let place = worlds.firstIndex { $0.client == client }!
          worlds[place].work()
          left[place].removeFirst(worlds[place].feed(left[place]))
          pool.endTurn(of: client)
        }
        peak = max(peak, pool.lentByteCount)
      }
    }
    #expect(peak <= 10 * 4096 + 16_384)
    #expect(worlds.allSatisfy { $0.isIdle && $0.output.count == 4 * 16 + 3 * 8192 })
    #expect(pool.lentByteCount == 0 && pool.borrowedByteCount == 0 && !pool.hasWaiters)
  }

  // MARK: Random

  /// Requests of all kinds, good and bad, in pieces of any size, answered in any order, sent in pieces of any size: each is
  /// answered once, as a model says, and the disk is the model's.
  @Test(arguments: styles, 0..<25) func randomSessions(_ style: NBDReplyStyle, _ seed: Int) {
    var random = SplitMix64(seed: UInt64(seed))
    var configuration = NBDTransmissionConfiguration()
    configuration.requestLimit = Int.random(in: 1...20, using: &random)
    configuration.memoryLimitByteCount = Int.random(in: 1...100_000, using: &random)
    let world = TransmissionWorld(style: style, hasContext: true, configuration: configuration)
    world.answersAtOnce = false
    world.sendSizes = (0..<5).map { _ in Int.random(in: 1...9000, using: &random) }
    var model = world.disk
    var expected: [UInt64: ClientReply] = [:]
    var reads: [UInt64: (offset: UInt64, length: Int)] = [:]
    var input: [UInt8] = []
    // Each request has a part of the disk of its own, so that their order does not matter.
    for number in 0..<60 {
      let cookie = UInt64(number) | UInt64(random.next() & 0xFFFF) << 32
      let base = UInt64(number) * 1024
      let offset = base + UInt64.random(in: 0...1024, using: &random)
      let length = UInt64.random(in: 0...base + 1024 - offset, using: &random)
      let command = [NBDCommand.read, .write, .flush, .trim, .writeZeroes, .cache, .blockStatus, .resize].randomElement(
        using: &random)!
      var request = ClientRequest(command: command, cookie: cookie, offset: offset, length: length)
      if Bool.random(using: &random) {
        request.offset &= ~511
        request.length = (length + 511) & ~511
      }
      if command == .flush, Bool.random(using: &random) { (request.offset, request.length) = (0, 0) }
      if command == .write {
        request.payload = [UInt8](repeating: UInt8.random(in: 0...255, using: &random), count: Int(request.length))
        if style == .extended { request.flags.insert(.payloadLength) }
      }
      expected[cookie] = Self.answer(request, style, &model)
      if command == .read { reads[cookie] = (request.offset, Int(request.length)) }
      input += request.encoded(style)
    }
    var rest = input[...]
    while !rest.isEmpty || !world.held.isEmpty {
      let piece = Array(rest.prefix(Int.random(in: 1...3000, using: &random)))
      rest = rest.dropFirst(world.feed(piece))
      world.held.shuffle(using: &random)
      let count =
        world.held.count == configuration.requestLimit || rest.isEmpty ? world.held.count : world.held.count / 2
      // A single request may be all that the memory allows.
      for request in world.held.prefix(max(1, count)) { world.carryOut(request) }
      world.held.removeFirst(min(world.held.count, max(1, count)))
      world.work()
    }
    let replies = ClientReply.parse(world.output, style: style, reads: reads)
    #expect(replies?.count == expected.count)
    for reply in replies ?? [] { #expect(reply == expected[reply.cookie]) }
    #expect(world.disk == model)
    #expect(world.isIdle)
    #expect(world.pool.lentByteCount == 0)
  }

  /// What a request to the export "disk" comes to, with a metadata context; the rules once more, in the specification's order.
  private static func answer(_ request: ClientRequest, _ style: NBDReplyStyle, _ disk: inout [UInt8]) -> ClientReply {
    var reply = ClientReply(cookie: request.cookie)
    let isAligned = request.offset % 512 == 0 && request.length % 512 == 0
    let range = Int(request.offset)..<Int(request.offset + request.length)
    func fail(_ error: NBDError) { reply.error = error.rawValue }
    switch request.command {
    case .flush: if request.offset != 0 || request.length != 0 { fail(.invalid) }
    case .resize: fail(.invalid)
    case .cache: break
    case _ where request.length == 0: fail(.invalid)
    case .read: reply.data = Array(disk[range])
    case .write: if isAligned { disk.replaceSubrange(range, with: request.payload) } else { fail(.invalid) }
    case .writeZeroes:
      if isAligned { disk.replaceSubrange(range, with: repeatElement(0, count: range.count)) } else { fail(.invalid) }
    case .trim:
      let start = (range.lowerBound + 511) / 512 * 512
      let end = range.upperBound / 512 * 512
      if start < end { disk.replaceSubrange(start..<end, with: repeatElement(0, count: end - start)) }
    case .blockStatus:
      if style == .simple { fail(.invalid) } else { reply.extents = [[request.length, 0]] }
    default: break
    }
    return reply
  }
}
